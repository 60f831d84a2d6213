"""How alike the documents of two tools are: the cosine of their words, rare ones weighing more."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from astra_proto.messages import FunctionSpec

from astra_tool_registry.graphs.words import pieces

Vector = Mapping[str, float]

_IN_NAME = 3
"""What a word is worth in a tool's name; in its description and its parameters it is worth 1."""


def vectors(tools: Iterable[FunctionSpec]) -> list[Vector]:
    """The documents of tools as vectors of length 1, words weighed by how few of these tools have them."""
    documents = [_words(tool.name, tool.description, _said(tool.parameters)) for tool in tools]
    known = Counter(word for words in documents for word in words)
    return [_unit(words, known, len(documents)) for words in documents]


def cosine(one: Vector, other: Vector) -> float:
    """From 0, no word in common, to 1."""
    if len(other) < len(one):
        one, other = other, one
    return min(1.0, sum(weight * other[word] for word, weight in one.items() if word in other))


def _unit(words: Mapping[str, int], known: Mapping[str, int], total: int) -> Vector:
    weights = {word: (1 + math.log(n)) * math.log((1 + total) / known[word]) for word, n in words.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()} if length else {}


@lru_cache(maxsize=32_768)  # the same tools come again with every draw
def _words(name: str, description: str, parameters: str) -> Mapping[str, int]:
    words = Counter({word: _IN_NAME * count for word, count in Counter(pieces(name)).items()})
    words.update(pieces(description))
    words.update(pieces(parameters))
    return words


def _said(parameters: Mapping[str, Any]) -> str:
    return " ".join(_texts(parameters))[:20_000]


def _texts(schema: Any) -> Iterator[str]:
    """Names of parameters, what is said of them, and the values that they may have."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            yield value
        elif key == "enum":
            yield json.dumps(value, ensure_ascii=False)
        elif key == "properties" and isinstance(value, dict):
            for name, child in value.items():
                yield str(name)
                yield from _texts(child)
        elif key == "items":
            yield from _texts(value)
