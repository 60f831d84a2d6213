"""From a job to a trace that is worth the work: decomposed, gated, judged, and drafted anew where it fell short."""

from dataclasses import dataclass, field

from astra_proto.jobs import ArenaJob
from astra_proto.traces import JudgeScores, QATrace

from astra_synth_worker.arenas.judges import Judgement, judge_trace
from astra_synth_worker.arenas.necessity import Necessity, tool_necessity
from astra_synth_worker.arenas.question import Decomposition, decompose, problem_of
from astra_synth_worker.arenas.tries import Earlier, Try
from astra_synth_worker.jobs.context import Context, Refused


@dataclass
class Validated:
    """The trace, its scores, and what was refused on the way."""

    trace: QATrace
    scores: JudgeScores
    tries: list[Try] = field(default_factory=list)


async def validated_trace(job: ArenaJob, context: Context, tries: list[Try] | None = None) -> Validated:
    """A trace on which every judge gave a verdict, with a mean at the threshold or above.

    What is refused on the way is added to ``tries``, also where nothing comes of it.

    What gate and judges find goes into the draft of the next round. A job that ends with its trace takes the first one
    that has all scores, for its threshold comes later; one that was selected there brings its trace along.
    Raises :class:`Refused`.
    """
    if job.trace is not None:
        if job.trace.scores.mean() is None:
            raise Refused("unscored", "trace: a judge has given no verdict on it")
        return Validated(job.trace.trace, job.trace.scores)
    if problem := problem_of(job):
        raise Refused(*problem)
    tries = [] if tries is None else tries
    earlier: Earlier | None = None
    for number in range(1, context.settings.trace_rounds + 1):
        made = await _round(job, context, number, earlier, tries)
        if isinstance(made, Validated):
            return made
        tries.append(made)
        earlier = Earlier(draft=made.draft, problem=f"{made.reason}: {made.detail}")
    last = tries[-1]
    raise Refused(last.reason, f"{last.detail} ({context.settings.trace_rounds} rounds)")


async def _round(
    job: ArenaJob, context: Context, number: int, earlier: Earlier | None, tries: list[Try]
) -> Validated | Try:
    """One draft past the gate and the judges, or what was wrong with it; refused replies are added to ``tries``."""
    suffix = "" if number == 1 else f"_{number}"
    decomposition = await context.stage(
        f"qa_trace{suffix}",
        {"job": job.model_dump(mode="json", exclude={"until", "split"}), "earlier": earlier},
        lambda: decompose(job, context, number, earlier),
        Decomposition,
    )
    tries += decomposition.tries
    drafted = decomposition.trace
    if drafted is None:
        assert decomposition.failure is not None
        raise decomposition.failure.refusal()
    shown = drafted.model_dump_json(exclude={"schema_version", "domain", "language"})[:8_000]

    need = await context.stage(f"necessity{suffix}", drafted, lambda: tool_necessity(job, drafted, context), Necessity)
    tries += need.tries
    trace = need.trace
    if trace is None:
        return Try(step="necessity", reason=need.reason, detail=need.detail, draft=shown)

    judgement = await context.stage(f"judges{suffix}", trace, lambda: judge_trace(job, trace, context), Judgement)
    tries += judgement.tries
    scores = judgement.scores()
    mean = scores.mean()
    if mean is not None and (job.until == "trace" or mean >= context.settings.keep_trace):
        return Validated(trace, scores, list(tries))
    reason = "unscored" if mean is None else "low_score"
    given = ", ".join(f"{name} {score}" for name, score in scores.model_dump().items())
    return Try(step="judges", reason=reason, detail=f"{given}. {judgement.findings()}"[:2_000], draft=shown)
