"""Which arguments a tool is asked with beside its golden ones, and why."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from astra_proto.arenas import ArenaTool, SubTask
from pydantic import JsonValue

from astra_env_server.arenas.arguments import ArgumentSchema
from astra_env_server.gate.literals import Literals, same
from astra_env_server.gate.sampling import Arguments, NoSuchArguments, change, fits, perturb, sample

PERTURBED = 8
"""Times that all golden arguments are changed."""
_OWN = 3
_BLANKS = ("", "*")


def distinct(found: Iterable[Arguments]) -> list[Arguments]:
    """Each once, in order."""
    chosen: list[Arguments] = []
    for arguments in found:
        if arguments not in chosen:
            chosen.append(arguments)
    return chosen


def changed(
    own: Arguments, others: list[Arguments], parameters: Mapping[str, Any], schema: ArgumentSchema, rng: random.Random
) -> list[Arguments]:
    """The golden calls of the tool's other sub-tasks, then this one's own with everything changed."""
    chosen = [arguments for arguments in others if arguments != own][:_OWN]
    for _ in range(PERTURBED):
        try:
            chosen.append(perturb(own, parameters, schema, rng))
        except NoSuchArguments:
            break
    return distinct(chosen)


def vague(
    own: Arguments, needed: Iterable[JsonValue], parameters: Mapping[str, Any], schema: ArgumentSchema
) -> list[Arguments]:
    """The golden arguments with one that says nothing, or without those that need not be given.

    ``needed`` are the answers of the sub-tasks that this one depends on: an argument that holds one of them may not be
    filled in by the tool itself. Others may: a currency, a unit.
    """
    found = []
    texts = [name for name, value in own.items() if isinstance(value, str)]
    for blank in _BLANKS:
        found += [{**own, name: blank} for name in texts]
    if not texts:
        found.append({name: 0 if isinstance(value, int | float) else value for name, value in own.items()})
    required = parameters.get("required", [])
    known = list(needed)
    found.append({name: own[name] for name in own if name in required or not any(same(own[name], k) for k in known)})
    if not required:
        found.append({})
    return distinct(each for each in found if each != own and fits(schema, each))


def of_nothing(own: Arguments, schema: ArgumentSchema) -> list[Arguments]:
    """The golden arguments with one number that is 0, or less: small mistakes, which many tools refuse."""
    numbers = [name for name, value in own.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    found = ({**own, name: number} for name in numbers for number in (0, -1) if own[name] != number)
    return [arguments for arguments in found if fits(schema, arguments)]


@dataclass(frozen=True)
class OneChanged:
    """Golden arguments with one of them changed."""

    arguments: Arguments
    near: bool
    """A number that is far off may be refused by a tool to which it does not matter otherwise; a near one may not."""
    listed: bool
    """Whether the new value stands in the code, or in the schema."""


def singly(
    own: Arguments,
    name: str,
    parameters: Mapping[str, Any],
    schema: ArgumentSchema,
    literals: Literals,
    rng: random.Random,
) -> Iterator[OneChanged]:
    """The golden arguments with this one changed: near values, those of the code, far ones."""
    value = own[name]
    described = parameters.get("properties", {}).get(name, {})
    number = isinstance(value, int | float) and not isinstance(value, bool)
    beside = [each[name] for each in literals.beside({name: value}, {"properties": {name: described}})][:6]
    found: list[tuple[JsonValue, bool, bool]] = [(other, True, True) for other in beside[:3]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        found += [(value + 1, True, False), (value - 1, True, False), (value * 2, True, False)]
        found.append((value // 2, False, False))
    found += [(change(value, described, rng), not number, False) for _ in range(2)]
    found += [(other, True, True) for other in beside[3:]]
    tried = [value]
    for other, near, listed in found:
        arguments = {**own, name: other}
        if not any(same(other, each) for each in tried) and fits(schema, arguments):
            tried.append(other)
            yield OneChanged(arguments, near, listed)


def drawn(
    tool: ArenaTool, schema: ArgumentSchema, golden: list[Arguments], rng: random.Random, times: int
) -> list[Arguments]:
    """Arguments drawn at random, none of them golden."""
    found: list[Arguments] = []
    for _ in range(2 * times):
        try:
            arguments = sample(tool.parameters, schema, rng)
        except NoSuchArguments:
            break
        if arguments not in golden:
            found.append(arguments)
        if len(found) == times:
            break
    return found


def of_own_rows(tool: ArenaTool, schema: ArgumentSchema, most: int) -> list[Arguments]:
    """Arguments that a tool without golden calls may know: what stands in its tables, and the first few numbers."""
    properties = tool.parameters.get("properties", {})
    required = [name for name in properties if name in tool.parameters.get("required", [])] or list(properties)
    kinds = [properties[name].get("type") if isinstance(properties[name], dict) else None for name in required]
    found = [dict(zip(required, row, strict=True)) for row in Literals(tool.code).rows_of(kinds)]
    step = max(1, len(found) // most)
    chosen = found[::step][:most]
    if kinds == ["integer"]:
        chosen += [{required[0]: number} for number in range(most)]
    return distinct(each for each in chosen if fits(schema, each))


def needed_by(task: SubTask, tasks: Iterable[SubTask]) -> list[JsonValue]:
    """The answers that a sub-task depends on."""
    return [other.answer.value for other in tasks if other.id in task.depends_on]
