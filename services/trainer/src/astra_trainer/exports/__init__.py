"""Training data as files."""
