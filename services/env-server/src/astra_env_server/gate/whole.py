"""Is a reference answer a whole one, where words have no spaces between them?

Where they have, a name that lacks its last letter is not in the output. Han, kana and hangul are searched without
bounds, so there it is, and the arena would teach and judge by half a name.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from astra_env_server.gate.knowledge import leaves, value_of
from astra_env_server.scoring.folding import fold, is_word

_SENTENCE = 2
"""A text of more than so many times the answer's length says something about it; a shorter one is a longer name."""


def cut_from(answer: JsonValue, output: str) -> tuple[str, str] | None:
    """A text of the answer and the longer name in the output that it is part of; None if it stands there by itself."""
    told = [fold(text) for text in _texts(value_of(output))]
    for text in _texts(answer):
        part = fold(text)
        places = [whole for whole in told if part and part in whole]
        if places and all(_is_longer_name(whole, part) for whole in places):
            return text, places[0]
    return None


def _is_longer_name(whole: str, part: str) -> bool:
    if len(whole) > _SENTENCE * len(part):
        return False
    before, _, after = whole.partition(part)
    return (_joins(part[0]) and _joins(before[-1:])) or (_joins(part[-1]) and _joins(after[:1]))


def _joins(char: str) -> bool:
    """Whether it is a letter of a script that puts no spaces between words."""
    return char.isalpha() and not is_word(char)


def _texts(value: JsonValue) -> Iterator[str]:
    return (leaf for leaf in leaves(value) if isinstance(leaf, str))
