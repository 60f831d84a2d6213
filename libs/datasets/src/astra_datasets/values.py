"""Which values may a call be made with? Those that the prompt, a schema, the code or an earlier output tells."""

import ast
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from astra_scoring.folding import fold, numbers_in
from pydantic import JsonValue

_QUOTED = re.compile(r"[\"'“‘《「『]([^\"'”’》」』]{1,80})[\"'”’》」』]")
_TOKEN = re.compile(r"\w[\w.:/@#-]*\w|\w")
_MOST_NODES = 50_000
_MOST_WORDS = 5
_HUGE = 2**63


@dataclass
class Told:
    """What an agent can know: the prompt, and what calls have put out so far."""

    prompt: str
    outputs: dict[int, str] = field(default_factory=dict)
    """Sub-task to the output of its call."""

    def where(self, value: JsonValue) -> set[int] | None:
        """Outputs that a value must be taken from; the empty set if the prompt has it, None if nothing tells it."""
        if _says(self.prompt, value):
            return set()
        holders = [task for task, output in self.outputs.items() if _says(output, value)]
        return {holders[0]} if holders else None


def _says(text: str, value: JsonValue) -> bool:
    if isinstance(value, list):
        return all(_says(text, item) for item in value)
    if isinstance(value, bool) or value is None:
        return True  # a choice of two is no secret
    if isinstance(value, int | float):
        return abs(value) < _HUGE and float(value) in _numbers(text)
    wanted = fold(str(value))
    at = rf"(?<![a-z0-9_]){re.escape(wanted)}(?![a-z0-9_])"
    return bool(wanted) and re.search(at, _folded(text)) is not None


@lru_cache(maxsize=256)  # the prompt and a few outputs, which are asked about again and again
def _folded(text: str) -> str:
    return fold(text)


@lru_cache(maxsize=256)
def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in numbers_in(_folded(text)))


def literals(code: str) -> list[str | int | float]:
    """Texts and numbers that stand in code, docstrings aside, each once, in the order in which they do."""
    found: dict[str | int | float, None] = {}
    tree = ast.parse(code)  # noqa: TID251, for rows are read in one thread
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in itertools.islice(ast.walk(tree), _MOST_NODES):
        plain = isinstance(node, ast.Constant) and id(node) not in loose and not isinstance(node.value, bool)
        if plain and isinstance(node.value, str | int | float) and 0 < len(str(node.value)) <= 200:  # type: ignore[attr-defined]
            found[node.value] = None  # type: ignore[attr-defined]
    return list(found)


def phrases(text: str) -> list[str]:
    """What of a text may be a name: what is quoted, then tokens, longest runs of capitalised words first."""
    words = _TOKEN.findall(text)
    runs = [
        " ".join(words[i : i + n])
        for n in range(_MOST_WORDS, 0, -1)
        for i in range(len(words) - n + 1)
        if n == 1 or all(word[:1].isupper() or word[:1].isdigit() for word in words[i : i + n])
    ]
    return list(dict.fromkeys([*_QUOTED.findall(text), *runs]))


def leaves(text: str) -> list[JsonValue]:
    """The values in an output that is JSON; else the output itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [text.strip()]
    return list(_leaves(value))


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _leaves(child)
    else:
        yield value


def pool(schema: Mapping[str, Any], told: Told, known: Sequence[str | int | float]) -> Iterator[JsonValue]:
    """Values for one parameter, the likeliest first: what is told and the code knows, then all that is told."""
    kind = schema.get("type", "string")
    kind = next((k for k in kind if k != "null"), "string") if isinstance(kind, list) else kind
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(listed, list):
        # What the prompt names comes first: the others are guesses.
        yield from sorted(listed, key=lambda value: told.where(value) is None)
        return
    if kind == "boolean":
        yield from (True, False)
        return
    outputs = [leaf for output in reversed(told.outputs.values()) for leaf in leaves(output) if _sane(leaf)]
    if kind in ("integer", "number"):
        numbers = list(_numbers(told.prompt))
        values = [v for v in outputs if isinstance(v, int | float) and not isinstance(v, bool)] + numbers
        yield from (int(v) if float(v).is_integer() else v for v in values if kind == "number" or float(v).is_integer())
    elif kind == "array":
        inner = schema.get("items")
        items = list(itertools.islice(pool(inner if isinstance(inner, dict) else {}, told, known), 12))
        named = [item for item in items if told.where(item) is not None]
        yield from ([named] if len(named) > 1 else [])
        yield from ([item] for item in items)
        yield from (v for v in _lists(told.outputs.values()))
    elif kind == "string":
        texts = [value for value in known if isinstance(value, str)]
        yield from (text for text in texts if told.where(text) is not None)
        yield from (value for value in outputs if isinstance(value, str))
        yield from phrases(told.prompt)
    if "default" in schema:
        yield schema["default"]


def _sane(leaf: JsonValue) -> bool:
    return not isinstance(leaf, int | float) or abs(leaf) < _HUGE  # NaN is not


def _lists(outputs: Iterable[str]) -> Iterator[list[JsonValue]]:
    for output in outputs:
        try:
            value = json.loads(output)
        except (ValueError, RecursionError):
            continue
        yield from (v for v in (value.values() if isinstance(value, dict) else [value]) if isinstance(v, list))
