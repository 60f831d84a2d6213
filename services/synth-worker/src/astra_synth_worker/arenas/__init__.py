"""Pipeline B: an arena from a question (paper §3.2)."""
