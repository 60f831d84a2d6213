"""Rows of strangers as arenas, and for each row what is wrong with it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

from astra_proto.arenas import ArenaSpec, GoldenCall, Provenance, Split, SubTask, Topology
from astra_proto.soundness import SoundnessReport
from pydantic import BaseModel, ValidationError

from astra_datasets.faults import Fault, Kind, fault
from astra_datasets.mix import depths
from astra_datasets.parsing import Parsed, parse, takes_state
from astra_datasets.rows import spec_of
from astra_datasets.search import Found, Run, golden_calls

Gate = Callable[[ArenaSpec], Awaitable[SoundnessReport]]

READING = ("code", "constant_code", "clock", "leakage", "schemas")
"""Checks of the gate that say something about a row also where golden calls are missing."""

_HAN = re.compile(r"[\u4e00-\u9fff]")


class Verdict(StrEnum):
    """What a row is good for."""

    SOUND = "sound"
    """An arena that passes the gate."""
    UNSOUND = "unsound"
    """An arena, and the gate refuses it."""
    INCOMPLETE = "incomplete"
    """Golden calls are missing for some of its answers, and were not found."""
    BROKEN = "broken"
    """Not an arena: its columns do not hold together."""


class RowReport(BaseModel):
    """What became of one row."""

    row: int
    """Its number, from 0."""
    verdict: Verdict
    arena: str | None
    """Id of the arena that it is; null where it is none."""
    answers: int
    """How many are asked for."""
    reachable: int
    """To how many of them a call was found: their share is the most that recall can be."""
    searched: bool
    """Whether the golden calls were found by trying, for the row does not tell them."""
    faults: list[Fault]
    created: bool | None = None
    """Whether it was published just now; null if it was not to be, or may not."""


class Defaults(BaseModel):
    """What such rows do not tell about themselves."""

    domain: str = "imported"
    split: Split = Split.TRAIN
    source: str = ""


async def import_row(
    number: int, row: Mapping[str, Any], defaults: Defaults, run: Run, gate: Gate
) -> tuple[RowReport, ArenaSpec | None]:
    """What is wrong with a row, and the arena that it is if nothing is."""
    if row.get("spec") is not None:
        return await _whole(number, row, gate)
    parsed = parse(row)
    faults = list(parsed.faults)
    if parsed.rest is not None:
        spec, reachable = _ours(parsed, parsed.rest, faults), len(parsed.wanted)
    else:
        found = await golden_calls(parsed.prompt, parsed.tools, parsed.wanted, run)
        faults += _missing(parsed, found)
        reachable = sum(one.grounded for one in found.values())
        spec = _theirs(parsed, found, defaults, faults)
    whole = spec is not None and not faults
    if spec is not None:
        report = await gate(spec)
        said = [check for check in report.failures() if whole or check.name in READING]
        faults += [fault(Kind.GATE, check.name, check.detail) for check in said]
    return RowReport(
        row=number,
        verdict=_verdict(faults, whole),
        arena=spec.id() if spec is not None and whole else None,
        answers=len(parsed.wanted),
        reachable=reachable,
        searched=parsed.rest is None,
        faults=faults,
    ), spec if whole else None


async def _whole(number: int, row: Mapping[str, Any], gate: Gate) -> tuple[RowReport, ArenaSpec | None]:
    """A row of the table `arenas`, which holds all of one."""
    faults: list[Fault] = []
    spec = None
    try:
        spec = ArenaSpec.model_validate_json(row["spec"] if isinstance(row["spec"], str | bytes) else b"")
        if row.get("id") != (found := spec.id()):
            faults.append(fault(Kind.EDITED, "id", f"the row says {row.get('id')!r}, its content is {found}"))
    except (ValidationError, ValueError) as error:
        faults.append(fault(Kind.MALFORMED, "spec", _told(error)))
    whole = spec is not None and not faults
    if spec is not None and whole:
        faults += [fault(Kind.GATE, check.name, check.detail) for check in (await gate(spec)).failures()]
    asked = len(spec.subtasks) if spec is not None else 0
    return RowReport(
        row=number,
        verdict=_verdict(faults, whole),
        arena=spec.id() if spec is not None and whole else None,
        answers=asked,
        reachable=asked,
        searched=False,
        faults=faults,
    ), spec if whole else None


def _told(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'arena'}: {p['msg']}" for p in error.errors()[:3])


def _verdict(faults: list[Fault], whole: bool) -> Verdict:
    if whole:
        return Verdict.UNSOUND if faults else Verdict.SOUND
    missing = {Kind.UNREACHABLE_ANSWER, Kind.UNGROUNDED_ARGUMENTS, Kind.GATE}
    return Verdict.INCOMPLETE if {one.kind for one in faults} <= missing else Verdict.BROKEN


def _ours(parsed: Parsed, rest: dict[str, Any], faults: list[Fault]) -> ArenaSpec | None:
    """The arena of a row that has the fifth column."""
    if faults:
        return None
    try:
        spec = spec_of(parsed.prompt, parsed.tools, rest)
    except (KeyError, TypeError) as error:
        faults.append(fault(Kind.EDITED, "arena", f"it names what the other columns do not have: {error!r}"))
        return None
    except ValidationError as error:
        faults.append(fault(Kind.EDITED, "arena", _told(error)))
        return None
    if spec.id() != rest.get("id"):
        faults.append(fault(Kind.EDITED, "arena.id", f"the row says {rest.get('id')!r}, its content is {spec.id()}"))
        return None
    asked = sorted((task.tool, repr(task.answer.value)) for task in spec.subtasks)
    if len(asked) != len(parsed.wanted) or {tool for tool, _ in asked} != {tool for tool, _ in parsed.wanted}:
        faults.append(fault(Kind.EDITED, "sub_qa_dict", "it does not ask what the column `arena` asks"))
        return None
    return spec


def _missing(parsed: Parsed, found: dict[int, Found]) -> list[Fault]:
    missing = []
    for index, (tool, answer) in enumerate(parsed.wanted):
        told = repr(answer.value)[:80]
        if tool in parsed.tools and index not in found:
            why = "; its code takes a state, and no column tells one" if takes_state(parsed.tools[tool]) else ""
            missing.append(fault(Kind.UNREACHABLE_ANSWER, tool, f"no call was found whose output has {told}{why}"))
        elif index in found and not found[index].grounded:
            call = f"{tool}({found[index].arguments!r})"
            missing.append(
                fault(Kind.UNGROUNDED_ARGUMENTS, tool, f"{told} is given by {call[:300]}, which nothing tells")
            )
    return missing


def _theirs(parsed: Parsed, found: dict[int, Found], defaults: Defaults, faults: list[Fault]) -> ArenaSpec | None:
    """The arena of a row whose golden calls were found; as far as they were."""
    order = _order(found)
    subtasks = [_subtask(parsed, index, found[index]) for index in order]
    own = {task.tool for task in subtasks}
    if not subtasks or not parsed.prompt:
        return None
    try:
        return ArenaSpec(
            domain=defaults.domain,
            language="zh" if _HAN.search(parsed.prompt) else "en",
            topology=topology(subtasks),
            split=defaults.split,
            prompt=parsed.prompt,
            tools=[tool for name, tool in parsed.tools.items() if name in own],
            subtasks=subtasks,
            distractors=[tool for name, tool in parsed.tools.items() if name not in own],
            provenance=Provenance(teacher="import", source=defaults.source),
        )
    except ValidationError as error:  # more tools than an arena takes
        faults.append(fault(Kind.MALFORMED, "tool_schema", _told(error)))
        return None


def _order(found: dict[int, Found]) -> list[int]:
    order: list[int] = []
    while len(order) < len(found):
        ready = [i for i in sorted(found) if i not in order and found[i].needs <= set(order)]
        order += ready or [i for i in sorted(found) if i not in order]
    return order


def _subtask(parsed: Parsed, index: int, found: Found) -> SubTask:
    name, answer = parsed.wanted[index]
    return SubTask(
        id=index + 1,
        question=f"What {name} tells: the row does not say how it was asked.",
        tool=name,
        answer=answer,
        golden_call=GoldenCall(name=name, arguments=found.arguments),
        depends_on=sorted(i + 1 for i in found.needs),
    )


def topology(subtasks: list[SubTask]) -> Topology:
    """The shape of a decomposition (paper §3.1)."""
    layers = list(depths(subtasks).values())
    if len(layers) == 1:
        return Topology.SINGLE_HOP
    if max(layers) == 1:
        return Topology.PARALLEL_SINGLE_HOP
    return Topology.MULTI_HOP if len(set(layers)) == len(layers) else Topology.PARALLEL_MULTI_HOP
