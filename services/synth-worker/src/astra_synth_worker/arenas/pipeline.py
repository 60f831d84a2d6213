"""Pipeline B, whole: a job's question decomposed, made into tools, run, put together, published (paper §3.2)."""

import asyncio
from collections.abc import Awaitable, Iterable

from astra_proto.arenas import ArenaSpec, ArenaTool, Provenance, PublishReply
from astra_proto.errors import UnsoundArena
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace

from astra_synth_worker.arenas.assemble import assemble
from astra_synth_worker.arenas.distractors import Distractors, draw_distractors
from astra_synth_worker.arenas.findings import blamed_distractors, refusals, report_of
from astra_synth_worker.arenas.merge import merged
from astra_synth_worker.arenas.part import Assignment, Part, Refusal, assignment, draft_part
from astra_synth_worker.arenas.question import Decomposition, decompose
from astra_synth_worker.arenas.sandbox import run_parts
from astra_synth_worker.jobs.context import Context, Outcome, Refused


async def make_arena(job: ArenaJob, context: Context) -> Outcome:
    """One arena, published; the outcome names it. Raises :class:`Refused` with the first thing nothing could mend.

    Golden calls are run in the sandbox, and the env-server's gate has the last word; what either finds goes into the
    next drafts of the parts it is about.
    """
    settings = context.settings
    decomposition = await context.stage("qa_trace", job, lambda: decompose(job, context), Decomposition)
    trace = decomposition.trace
    work = [assignment(job, trace, sub) for sub in trace.subquestions if sub.needs_tool]
    parts = await _drafted(work, context)
    distractors = await _distractors(job, context, trace, parts)
    why = ("", "")
    for number in range(1, settings.arena_rounds + 1):
        refused = await run_parts(context.env_server, trace, parts)
        if not refused:
            unique, refused = await merged(context.env_server, trace, parts)
            parts = [*unique, *(refusal.part for refusal in refused)]
        if not refused:
            spec = _spec(job, context, decomposition, parts, distractors)
            try:
                reply = await context.env_server.post("/arenas", spec, PublishReply, repeatable=True)
            except UnsoundArena as error:
                report = report_of(error)
                blamed = blamed_distractors(report, spec.distractors)
                distractors = [tool for tool in distractors if tool.name not in blamed]
                refused = refusals(report, parts, blamed)
                why = (report.failures()[0].name, report.failures()[0].detail)
            else:
                return Outcome({"arena_id": reply.id, "created": reply.created, "rounds": number})
        else:
            why = (refused[0].reason, refused[0].detail)
        if number < settings.arena_rounds:
            parts = await _redrafted(work, parts, refused, context, number + 1)
    raise Refused(why[0], f"{why[1]} ({settings.arena_rounds} rounds)")


async def _drafted(work: Iterable[Assignment], context: Context) -> list[Part]:
    """The parts, drafted side by side."""

    def staged(given: Assignment) -> Awaitable[Part]:
        name = f"part_{given.sub.id}"
        return context.stage(name, given, lambda: draft_part(given, context), Part)

    # Each runs to its end, also when another fails: what it spent and made is stored for the next attempt.
    made = await asyncio.gather(*map(staged, work), return_exceptions=True)
    errors = [each for each in made if isinstance(each, BaseException)]
    if errors:
        raise next((e for e in errors if isinstance(e, Refused)), errors[0])
    return [each for each in made if isinstance(each, Part)]


async def _redrafted(
    work: list[Assignment], parts: list[Part], refused: list[Refusal], context: Context, number: int
) -> list[Part]:
    about = {refusal.part.id: refusal for refusal in refused}
    again = [
        given.model_copy(update={"round": number, "refused": about[given.sub.id]})
        for given in work
        if given.sub.id in about
    ]
    return [part for part in parts if part.id not in about] + await _drafted(again, context)


async def _distractors(job: ArenaJob, context: Context, trace: QATrace, parts: list[Part]) -> list[ArenaTool]:
    if context.settings.distractors == 0:
        return []
    drawn = await context.stage(
        "distractors",
        {"job": job, "trace": trace, "tools": sorted({part.tool.name for part in parts})},
        lambda: draw_distractors(job, context, trace, parts),
        Distractors,
    )
    return drawn.tools


def _spec(
    job: ArenaJob, context: Context, decomposition: Decomposition, parts: list[Part], distractors: list[ArenaTool]
) -> ArenaSpec:
    spent = context.usage
    given = "question" if job.question else "knowledge" if job.knowledge else ""
    provenance = Provenance(
        teacher=context.llm.name,
        source=given or f"{job.domain}/{job.seed}",
        seed=job.seed,
        tries=1 + len(decomposition.tries) + sum(len(part.tries) for part in parts),
        prompts=dict(sorted(spent.prompts.items())),
        llm_calls=spent.calls,
        tokens=spent.prompt_tokens + spent.completion_tokens,
    )
    return assemble(decomposition.trace, parts, distractors, provenance, job.split)
