"""From finished parts to one arena."""

from dataclasses import dataclass

from astra_proto.arenas import Answer, ArenaSpec, ArenaTool, GoldenCall, Provenance, Split, SubTask
from astra_proto.traces import QATrace

from astra_synth_worker.arenas.split import split_of


@dataclass(frozen=True)
class Part:
    """What one sub-question became: a tool, and the call of it that gives the answer."""

    id: int
    tool: ArenaTool
    call: GoldenCall


def assemble(
    trace: QATrace, parts: list[Part], distractors: list[ArenaTool], provenance: Provenance, split: Split | None = None
) -> ArenaSpec:
    """The arena of a trace. Sub-questions without a part have no sub-task; they are leaves that need no tool.

    Tools that are equal stand once. The split is drawn from the question unless it is given.
    """
    by_id = {part.id: part for part in parts}
    tools = {part.tool.name: part.tool for part in parts}
    subtasks = [
        SubTask(
            id=sub.id,
            question=sub.question,
            tool=by_id[sub.id].tool.name,
            answer=Answer(value=sub.answer),
            golden_call=by_id[sub.id].call,
            depends_on=sub.depends_on,
        )
        for sub in trace.subquestions
        if sub.id in by_id
    ]
    return ArenaSpec(
        domain=trace.domain,
        language=trace.language,
        topology=trace.topology(),
        split=split or split_of(trace.question),
        prompt=trace.question,
        tools=[tools[name] for name in sorted(tools)],
        subtasks=subtasks,
        distractors=distractors,
        final_answer=Answer(value=trace.final_answer),
        provenance=provenance,
    )
