"""Other protocols for the same episodes: each a translation of words, none plays an env itself."""
