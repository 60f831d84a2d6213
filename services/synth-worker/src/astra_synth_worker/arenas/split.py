"""Which split an arena falls into: a function of its question alone, so that no question is in two of them."""

import hashlib
import unicodedata

from astra_proto.arenas import Split

_SHARES = ((Split.TEST, 15), (Split.VALIDATION, 5))
"""Percent of all questions; the rest is for training."""


def split_of(question: str) -> Split:
    """The split that a question's hash falls into; case, spacing and Unicode spelling do not matter.

    >>> split_of("Where is it?") == split_of("  where IS it? ")
    True
    """
    normal = " ".join(unicodedata.normalize("NFKC", question).casefold().split())
    place = int.from_bytes(hashlib.sha256(normal.encode()).digest()[:8], "big") % 100
    for split, share in _SHARES:
        if place < share:
            return split
        place -= share
    return Split.TRAIN
