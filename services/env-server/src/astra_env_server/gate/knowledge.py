"""Does a tool know more than the golden row? Code that answers the golden call and nothing else teaches nothing.

An answer counts if it is none of the golden ones, says something, and is not what the tool says to whoever asks for
something it does not know. What a tool repeats of its arguments is not looked at.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from astra_env_server.gate.sampling import Arguments
from astra_env_server.scoring.folding import fold

_FAILURES = ("error", "errors")
_SUCCESSES = ("ok", "success", "found")


@dataclass(frozen=True)
class Said:
    """What a tool said to these arguments."""

    arguments: Arguments
    output: str

    @cached_property
    def masked(self) -> str:
        """The output, folded, without what it repeats of the arguments."""
        text = fold(self.output)
        own = (leaf if isinstance(leaf, str) else json.dumps(leaf) for leaf in scalars(self.arguments))
        for value in sorted({fold(text) for text in own}, key=len, reverse=True):
            if value:
                text = re.sub(rf"(?<![\w.]){re.escape(value)}(?![\w])", "\N{WHITE SQUARE}", text)
        return text


def other_answers(
    golden: Sequence[Said], known: Iterable[Said], foreign: Iterable[Said], *, yes_or_no: bool, counted: bool = True
) -> int:
    """How many distinct answers a tool gives beside those of its golden calls.

    ``known`` are asked of values that the tool may be expected to know, ``foreign`` of made up ones. What two of these
    get alike is what strangers get, unless the tool answers yes or no only. Answers to made up ones are ``counted``
    where they are as good as any: not where the tool looks things up.
    """
    own = {said.masked for said in golden}
    strangers: dict[str, int] = defaultdict(int)
    others = set()
    for said in foreign:
        strangers[said.masked] += 1
        if counted:
            others.add(said.masked)
    others |= {said.masked for said in known}
    refusal = set() if yes_or_no else {text for text, times in strangers.items() if times > 1}
    return len({text for text in others - own - refusal if says_something(text)})


def says_something(text: str) -> bool:
    """Whether an output is more than nothing, or word of a failure."""
    try:
        value = json.loads(text)
    except ValueError:
        return bool(text) and not text.startswith("error")
    if isinstance(value, dict) and (
        any(value.get(key) for key in _FAILURES) or any(value.get(key) is False for key in _SUCCESSES)
    ):
        return False
    return any(leaf is not None and leaf != "" for leaf in leaves(value))


def value_of(output: str) -> JsonValue:
    """What an output says: the value where it is JSON, else the text itself."""
    try:
        value: JsonValue = json.loads(output)
    except (ValueError, RecursionError):
        return output
    return value


def scalars(value: JsonValue) -> Iterator[str | int | float]:
    """The texts and numbers among the leaves; a yes or a no is neither."""
    return (leaf for leaf in leaves(value) if isinstance(leaf, str | int | float) and not isinstance(leaf, bool))


def leaves(value: JsonValue) -> Iterator[JsonValue]:
    """What a value is made of, however deep: all that is neither a list nor a record."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if children is None:
        yield value
    else:
        for child in children:
            yield from leaves(child)
