"""Distractors: tools that look more or less like those of an arena and are beside its point."""
