"""Arenas: published once, sound, never changed."""
