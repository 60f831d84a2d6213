"""Texts as they are compared. See `astra_scoring.folding`."""

from astra_scoring.folding import fold, is_word, number_from

__all__ = ["fold", "is_word", "number_from"]
