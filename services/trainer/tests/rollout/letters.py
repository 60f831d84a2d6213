"""A tokenizer to test with: a token a character, and one for each marker."""

import re
from collections.abc import Sequence

from astra_trainer.rollout.render import MARKERS

_PIECE = re.compile("|".join(map(re.escape, MARKERS)) + "|.", re.DOTALL)


class Letters:
    """Markers are the first ids, characters come behind them."""

    def encode(self, text: str) -> list[int]:
        return [
            MARKERS.index(piece) if piece in MARKERS else ord(piece) + len(MARKERS) for piece in _PIECE.findall(text)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(MARKERS[i] if i < len(MARKERS) else chr(i - len(MARKERS)) for i in ids)
