"""From finished parts to one arena."""

from collections.abc import Iterable

from astra_proto.arenas import Answer, ArenaSpec, ArenaTool, GoldenCall, Provenance, Split, SubTask
from astra_proto.traces import QATrace, topology_of

from astra_synth_worker.arenas.code import renamed
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.arenas.split import split_of


class NameClash(ValueError):
    """Two tools have one name, and the code of the second cannot be safely renamed."""

    def __init__(self, part: Part) -> None:
        self.part = part
        super().__init__(f"the name {part.tool.name!r} is taken by another tool of this arena: choose another")


def merge_tools(parts: Iterable[Part]) -> list[Part]:
    """The parts with every tool name unique: equal tools become one, a different one of the same name is renamed.

    Raises :class:`NameClash` for a part whose code uses its function's name for something else too.
    """
    found: dict[str, ArenaTool] = {}
    merged: list[Part] = []
    for part in sorted(parts, key=lambda p: p.id):
        name, number = part.tool.name, 1
        tool = part.tool
        while name in found and found[name] != tool:
            number += 1
            name = f"{part.tool.name}_{number}"
            code = renamed(part.tool.code, part.tool.name, name)
            if code is None:
                raise NameClash(part)
            tool = part.tool.model_copy(update={"name": name, "code": code})
        found[name] = tool
        call = GoldenCall(name=name, arguments=part.call.arguments)
        merged.append(part.model_copy(update={"tool": tool, "call": call}))
    return merged


def assemble(
    trace: QATrace,
    parts: list[Part],
    distractors: list[ArenaTool],
    provenance: Provenance,
    split: Split | None = None,
) -> ArenaSpec:
    """The arena of a trace, from parts whose tool names are unique.

    Sub-questions that need no tool have no sub-task; they are leaves. One that needs a tool and has no part is a hole:
    ValueError. The split is drawn from the question unless it is given.
    """
    by_id = {part.id: part for part in parts}
    acted = [sub for sub in trace.subquestions if sub.needs_tool]
    if holes := [sub.id for sub in acted if sub.id not in by_id]:
        raise ValueError(f"parts: sub-questions {holes} have none, and an arena has no holes")
    tools = {part.tool.name: part.tool for part in parts}
    return ArenaSpec(
        domain=trace.domain,
        language=trace.language,
        topology=topology_of({sub.id: sub.depends_on for sub in acted}),
        split=split or split_of(trace.question),
        prompt="\n\n".join(filter(None, (trace.background.strip(), trace.question))),
        tools=[tools[name] for name in sorted(tools)],
        subtasks=[
            SubTask(
                id=sub.id,
                question=sub.question,
                tool=by_id[sub.id].tool.name,
                answer=Answer(value=sub.answer),
                golden_call=by_id[sub.id].call,
                depends_on=sub.depends_on,
            )
            for sub in acted
        ],
        distractors=[tool for tool in distractors if tool.name not in tools],
        final_answer=Answer(value=trace.final_answer),
        provenance=provenance,
    )
