"""Serves tools and tool graphs."""
