"""Arenas that a language model made, replayed: what each has cost, and what comes of them when the model is damaged."""
