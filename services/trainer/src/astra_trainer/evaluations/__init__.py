"""Evaluations of policies on arenas."""
