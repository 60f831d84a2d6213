"""Does an output hold an answer? By type and by token, never by bare substring: "5" is not in "15" nor in "5.2".

* number: a number of the output, within the tolerance; ``1,234.50`` is read; so is a text that is a number as a whole
* text: a run of whole tokens in a text of the output, folded (width, case, dashes, white space)
* a text that is a day: this day in whatever way it is written, ``March 1, 2024`` for ``2024-03-01``
* a text that is a number with a unit: a number of the output within the tolerance that has the same unit, as a text
* true and false: such a value, or the word
* list: a list of the output that holds these elements one to one, in any order; or one text, itself in no list, that
  holds them all
* record: an object of the output that has every field; or one text that holds them all

An output that is JSON is read as JSON: its values are looked at, its keys are not.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from astra_scoring.dates import date_from, dates_in
from astra_scoring.folding import fold, is_word, number_from, numbers_in, quantities_in, quantity_from

JsonValue = Any
"""What `json.loads` gives."""

_TOKEN_END = re.compile(r"[\W\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0010ffff]")

_JOINTS = "-/"
"""What joins letters and digits into one token, whatever they are: ``L97-C``, ``/home/ann``."""

_ROUNDING = Decimal("1e-12")
"""How far apart, relatively, two spellings of one fraction may be."""


class Answer(Protocol):
    """A reference answer, as an arena has it."""

    @property
    def value(self) -> JsonValue:
        """The value that an output must hold."""

    @property
    def tolerance(self) -> float:
        """How far a number may be off, absolutely."""


class Text:
    """A text of an output, folded and searched for numbers once."""

    def __init__(self, raw: str) -> None:
        self.raw = raw

    @cached_property
    def folded(self) -> str:
        """The text as it is compared."""
        return fold(self.raw)

    @cached_property
    def numbers(self) -> list[Decimal]:
        """The numbers in it."""
        return list(numbers_in(self.folded))

    @cached_property
    def dates(self) -> set[dt.date]:
        """The days in it."""
        return set(dates_in(self.folded))


class Output:
    """What a tool returned, read once, to be asked for several answers."""

    def __init__(self, text: str) -> None:
        self._node = _read(text)

    def holds(self, answer: Answer) -> bool:
        """Whether the answer is in it."""
        try:
            return _holds(answer.value, Decimal(repr(answer.tolerance)), self._node)
        except (RecursionError, ArithmeticError):
            return False


def holds(answer: Answer, text: str) -> bool:
    """Whether ``text`` holds ``answer``.

    >>> holds(Answer(value=5), "15 apples"), holds(Answer(value=5), "5 apples")
    (False, True)
    """
    return Output(text).holds(answer)


def _read(text: str) -> object:
    if text[:1] in '{["-0123456789tfn':
        try:
            return _typed(json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse), 0)
        except (ValueError, RecursionError, ArithmeticError):
            pass
    return Text(text)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _typed(value: object, unpacked: int) -> object:
    if isinstance(value, str):
        # A tool that returns JSON as a text is read through, twice at most.
        return _read(value) if unpacked == 0 and value[:1] in ("{", "[") else Text(value)
    if isinstance(value, list):
        return [_typed(item, unpacked) for item in value]
    if isinstance(value, dict):
        return {key: _typed(item, unpacked) for key, item in value.items()}
    return value


def _nodes(node: object) -> Iterator[object]:
    """The node and all that is in it."""
    yield node
    children = node if isinstance(node, list) else node.values() if isinstance(node, dict) else ()
    for child in children:
        yield from _nodes(child)


def _texts_outside_lists(node: object) -> Iterator[Text]:
    if isinstance(node, Text):
        yield node
    elif isinstance(node, dict):
        for child in node.values():
            yield from _texts_outside_lists(child)


def _holds(value: JsonValue, tolerance: Decimal, node: object) -> bool:
    if isinstance(value, list):
        return _holds_list(value, tolerance, node)
    if isinstance(value, dict):
        return _holds_record(value, tolerance, node)
    if isinstance(value, bool):
        return any(leaf is value or _says(leaf, "true" if value else "false") for leaf in _nodes(node))
    number = number_from(value) if isinstance(value, str) else None if value is None else Decimal(repr(value))
    if number is not None:
        return any(_near(number, found, tolerance) for leaf in _nodes(node) for found in _numbers(leaf))
    return isinstance(value, str) and _holds_text(value, tolerance, node)


def _holds_text(value: str, tolerance: Decimal, node: object) -> bool:
    texts = [leaf for leaf in _nodes(node) if isinstance(leaf, Text)]
    if (day := date_from(value)) is not None:
        return any(day in text.dates for text in texts)
    if (quantity := quantity_from(value)) is not None:
        number, unit = quantity
        return any(_near(number, found, tolerance) for text in texts for found in quantities_in(text.folded, unit))
    needle = fold(value)
    return bool(needle) and any(_says(text, needle) for text in texts)


def _numbers(leaf: object) -> list[Decimal]:
    return leaf.numbers if isinstance(leaf, Text) else [leaf] if isinstance(leaf, Decimal) else []


def _near(wanted: Decimal, found: Decimal, tolerance: Decimal) -> bool:
    if wanted == found:
        return True
    whole = wanted == wanted.to_integral_value() and found == found.to_integral_value()
    slack = tolerance if whole else tolerance + _ROUNDING * max(abs(wanted), abs(found))
    return abs(wanted - found) <= slack


def _holds_list(wanted: list[JsonValue], tolerance: Decimal, node: object) -> bool:
    lists = [found for found in _nodes(node) if isinstance(found, list)]
    if any(len(found) == len(wanted) and _one_to_one(wanted, tolerance, found) for found in lists):
        return True
    if any(all(_holds(item, tolerance, text) for item in wanted) for text in _texts_outside_lists(node)):
        return True
    return not lists and all(_holds(item, tolerance, node) for item in wanted)


def _one_to_one(wanted: list[JsonValue], tolerance: Decimal, found: list[object]) -> bool:
    """Whether each wanted element has a found one of its own (Kuhn's augmenting paths)."""
    fits = [[j for j, node in enumerate(found) if _fits(item, tolerance, node)] for item in wanted]
    taken: dict[int, int] = {}

    def place(i: int, tried: set[int]) -> bool:
        for j in fits[i]:
            if j not in tried:
                tried.add(j)
                if j not in taken or place(taken[j], tried):
                    taken[j] = i
                    return True
        return False

    return all(place(i, set()) for i in range(len(wanted)))


def _fits(item: JsonValue, tolerance: Decimal, node: object) -> bool:
    """Whether an element may stand for another. A list may stand for a list only, however little is in it."""
    return (isinstance(item, list) or not isinstance(node, list)) and _holds(item, tolerance, node)


def _holds_record(wanted: dict[str, JsonValue], tolerance: Decimal, node: object) -> bool:
    records = [found for found in _nodes(node) if isinstance(found, dict)]
    if any(all(k in found and _holds(v, tolerance, found[k]) for k, v in wanted.items()) for found in records):
        return True
    texts = [found for found in _nodes(node) if isinstance(found, Text)]
    return any(all(_holds(item, tolerance, text) for item in wanted.values()) for text in texts)


def _says(leaf: object, needle: str) -> bool:
    """Whether a text has ``needle`` in it as whole tokens."""
    if not isinstance(leaf, Text):
        return False
    text = leaf.folded
    at = text.find(needle)
    while at >= 0:
        if not _starts_token(text, at, needle[0]):
            # Inside a longer token: the next place to look is behind the end of that one.
            end = _TOKEN_END.search(text, at)
            at = text.find(needle, end.end()) if end else -1
        elif _ends_token(text, at + len(needle), needle[-1]):
            return True
        else:
            at = text.find(needle, at + 1)
    return False


def _starts_token(text: str, at: int, first: str) -> bool:
    before, earlier = text[at - 1 : at] if at else "", text[at - 2 : at - 1] if at > 1 else ""
    if not before:
        return True
    if not is_word(first):
        return not (first in _JOINTS and is_word(before))
    if first.isdigit() and (before == "-" or (before in ".,/:" and earlier.isdigit())):
        return False
    return not is_word(before)


def _ends_token(text: str, end: int, last: str) -> bool:
    after, later = text[end : end + 1], text[end + 1 : end + 2]
    if not after:
        return True
    if not is_word(last):
        return not (last in _JOINTS and is_word(after))
    if last.isdigit() and after in ".,/:-" and later.isdigit():
        return False
    return not is_word(after)
