"""Distractors of an env: drawn by the tool registry when the env is made, and kept with it."""
