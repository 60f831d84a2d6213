"""Runs arenas in isolation behind one contract."""
