"""Can a golden argument be guessed? Then what it stands for need not be known, nor found out before.

Each golden argument is replaced alone by values that nobody would choose for a reason: both odd and even, of few digits
and of many; texts of other letters and other lengths. Where many of these give what the golden value gives, the code
may take them for it. That alone is no fault: with a price of 300 at most the cheapest room is the one that costs 200 at
most. It is one where the value should have been found out by an earlier sub-task, or is a text, or where values on both
sides of one that gives something else are taken for it, or where the code would give something else had it not replaced
the value before it came to use it: mutants of the places where it is read tell.
"""

import random
import string
from collections.abc import Iterator, Mapping
from typing import Any

from astra_proto.arenas import SubTask
from pydantic import JsonValue

from astra_env_server.arenas.arguments import ArgumentSchema
from astra_env_server.gate.evidence import Evidence
from astra_env_server.gate.leakage import is_trivial
from astra_env_server.gate.sampling import Arguments, change, fits
from astra_env_server.gate.structure import takes
from astra_env_server.scoring.folding import fold

AT_FIRST = 6
"""Values after which no more are tried if none of them was taken for the golden one; fewer prove nothing."""
MANY = 3
"""Values that are taken for the golden one, at least, for it to be guessed."""
SHARE = 1 / 3
"""And of all that were tried."""

_LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34)


def values(
    own: Arguments, name: str, parameters: Mapping[str, Any], schema: ArgumentSchema, rng: random.Random
) -> list[JsonValue]:
    """Blind values of one golden argument, those first that tell most; none where it is a yes, a list or a record."""
    value, described = own[name], parameters.get("properties", {}).get(name, {})
    if isinstance(described, dict) and ("enum" in described or "const" in described):
        return []
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    found: list[JsonValue] = []
    for other in _texts(value, rng) if isinstance(value, str) else _numbers(value, described, rng):
        if other != value and other not in found and fits(schema, {**own, name: other}):
            found.append(other)
    return found if len(found) >= AT_FIRST else []


def guessed(evidence: Evidence, task: SubTask, name: str) -> list[JsonValue]:
    """The blind values that gave what the golden one gives, if they are many and no honest tool would take them."""
    tried = evidence.blind.get(task.id, {}).get(name, [])
    taken = [run.arguments[name] for run in tried if evidence.gives_the_same(task, run)]
    if len(tried) < AT_FIRST or len(taken) < MANY or len(taken) < SHARE * len(tried):
        return []
    value = task.golden_call.arguments[name]
    if isinstance(value, str) or _is_found_out(evidence, task, value):
        return taken
    others = [run.arguments[name] for run in tried if run.arguments[name] not in taken]
    score = evidence.mutants.get(task.tool)
    replaced = score is not None and any(place.endswith(f": {name} changed") for place in score.caught)
    return taken if replaced or any(_between(other, value, each) for other in others for each in taken) else []


def _is_found_out(evidence: Evidence, task: SubTask, value: JsonValue) -> bool:
    """Whether an argument is the answer of a sub-task that this one depends on."""
    needed = [other for other in evidence.spec.subtasks if other.id in task.depends_on and not is_trivial(other.answer)]
    return any(takes(other, value) for other in needed)


def _between(other: Any, value: Any, taken: Any) -> bool:
    return bool(min(value, taken) < other < max(value, taken))


def _numbers(value: float, described: Any, rng: random.Random) -> Iterator[float]:
    """Other numbers, of both parities and of several lengths in turn."""
    whole = isinstance(value, int)
    yield from (value + 5, value + 2, value * 10 + 3, value + 4, value * 2 + 6, value + 9)
    yield from (value - 4, value * 7 + 1, value + 12, value - 2)
    for scale in (10, 1_000, 100_000):
        yield rng.randint(1, scale) if whole else round(rng.uniform(0, scale), 2)
    for _ in range(8):  # of those that the schema allows, should it allow few
        yield change(value, described, rng)


def _texts(value: str, rng: random.Random) -> Iterator[str]:
    """Other texts of several lengths: of the same make, and of none."""
    letters = string.digits if value.isdigit() else string.ascii_lowercase
    for number, length in enumerate(_LENGTHS):
        yield "".join(rng.choices(letters, k=length)) if number % 2 else _like(value, length, rng)


def _like(value: str, length: int, rng: random.Random) -> str:
    repeated = (value * (length // len(value) + 1))[:length] if value else "x" * length
    other: str = change(repeated, {}, rng)
    return other if fold(other) != fold(value) else other + "q"
