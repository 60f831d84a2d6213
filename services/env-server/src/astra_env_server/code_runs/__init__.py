"""Tool code run without an arena, for those who write it."""
