"""Which steps need a tool (paper §3.2.2): asked once for the whole trace, and no verdict is never a pass."""

from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace
from pydantic import ValidationError

from astra_synth_worker.arenas.question import given_away, origin, shape_problem_of
from astra_synth_worker.arenas.tries import GivenUp, Try
from astra_synth_worker.arenas.verdicts import NeedReplies, Verdict, exactly, judged
from astra_synth_worker.jobs.context import Context


class Necessity(Record):
    """The verdicts, and the trace that follows from them; without one, why there is none."""

    trace: QATrace | None
    verdicts: list[Verdict]
    reason: str = ""
    detail: str = ""
    tries: list[Try] = []


async def tool_necessity(job: ArenaJob, trace: QATrace, context: Context) -> Necessity:
    """Ask the gate, and apply its rule: every step that another depends on needs a tool."""
    try:
        verdicts, tries = await judged(
            "tool_necessity", trace, origin(job), context, NeedReplies, lambda reply: exactly(trace, reply)
        )
    except GivenUp as error:
        failure = error.failure
        return Necessity(trace=None, verdicts=[], reason="no_verdict", detail=failure.detail, tries=failure.tries)
    made, reason, detail = _ruled(trace, verdicts, job)
    return Necessity(trace=made, verdicts=verdicts, reason=reason, detail=detail, tries=tries)


def _ruled(trace: QATrace, verdicts: list[Verdict], job: ArenaJob) -> tuple[QATrace | None, str, str]:
    """The trace with what needs a tool; or the reason and detail why it is not legitimate."""
    # A step that changes the state cannot be done in the head, whatever the gate says.
    needs = {
        sub.id: verdict.ok or sub.state_path is not None
        for sub, verdict in zip(trace.subquestions, verdicts, strict=True)
    }
    depended = {d for sub in trace.subquestions for d in sub.depends_on}
    if idle := [verdict for verdict in verdicts if verdict.id in depended and not needs[verdict.id]]:
        why = "; ".join(f"sub-question {v.id} needs no tool: {v.reason}" for v in idle)
        return None, "tool_unnecessary", f"others depend on steps that can be answered in the head. {why}"[:2_000]
    if not any(needs.values()):
        return None, "no_tool_needed", "no sub-question needs a tool: then there is nothing to act on"
    acted = {sub.id: sub.depends_on for sub in trace.subquestions if needs[sub.id]}
    if problem := shape_problem_of(acted, job):
        reason, detail = problem
        return None, reason, f"{detail}; sub-questions {sorted(set(needs) - set(acted))} need no tool and do not count"
    subs = [sub.model_copy(update={"needs_tool": needs[sub.id]}) for sub in trace.subquestions]
    try:
        made = QATrace.model_validate(trace.model_copy(update={"subquestions": subs}).model_dump())
    except ValidationError as error:
        return None, "bad_trace", str(error)[:2_000]
    if problem := given_away(made):
        return None, *problem
    return made, "", ""
