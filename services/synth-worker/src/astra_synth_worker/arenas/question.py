"""The question decomposed: a trace whose every property is computed here and none believed (paper §3.2.1)."""

import re
from collections.abc import Mapping, Sequence

from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace, hop_levels, shape_problem, topology_of
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.pointer import resolve, same
from astra_synth_worker.arenas.tries import Earlier, Failure, GivenUp, Rejected, Try, until_good
from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import ask
from astra_synth_worker.llm.base import Prompt

_CJK = re.compile(r"[\u4e00-\u9fff]")


class SubReply(BaseModel):
    """One step as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    id: int
    question: str
    answer: JsonValue
    depends_on: list[int] | None = None
    state_path: str | None = None


class TraceReply(BaseModel):
    """The decomposition as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    background: str = ""
    question: str | None = None
    final_answer: JsonValue
    subquestions: list[SubReply]
    state: dict[str, JsonValue] | None = None


class Decomposition(Record):
    """A trace, and the ones refused before it; or why there is none."""

    trace: QATrace | None
    tries: list[Try]
    failure: Failure | None = None


def origin(job: ArenaJob) -> dict[str, JsonValue]:
    """Where a prompt comes from. The offline teacher finds the world again by it; for a model it is the setting."""
    return {
        "domain": job.domain,
        "language": job.language,
        "seed": job.seed,
        "topology": job.topology.value if job.topology else None,
        "hops": job.hops,
        "min_hops": job.min_hops,
        "max_hops": job.max_hops,
        "stateful": job.stateful,
    }


def problem_of(job: ArenaJob) -> tuple[str, str] | None:
    """Why nobody need be asked: reason and detail; None if there is nothing wrong with the job."""
    if problem := shape_problem(job.topology, job.hops):
        return "impossible_shape", problem
    return _language(job.question, job.language) if job.question else None


async def decompose(job: ArenaJob, context: Context, number: int = 1, earlier: Earlier | None = None) -> Decomposition:
    """The trace of the job's question, or of one that is invented from its domain and knowledge.

    In the second round and later ``earlier`` is the trace before it and what its judges found.
    """
    taxonomy = job.taxonomy.model_dump() if job.taxonomy else None

    async def draft(attempt: int, before: Earlier | None) -> QATrace:
        variables = {
            **origin(job),
            "question": job.question,
            "knowledge": job.knowledge,
            "taxonomy": taxonomy,
            "earlier": before,
        }
        seed = job.seed + 1_000 * (number - 1) + attempt
        prompt = Prompt("qa_trace", variables, temperature=0.9, seed=seed)
        return accept_trace(await ask(context.llm, prompt, TraceReply, context.usage), job)

    try:
        trace, refused = await until_good("question", context.settings.question_tries, draft, earlier)
    except GivenUp as error:
        return Decomposition(trace=None, tries=error.failure.tries, failure=error.failure)
    return Decomposition(trace=trace, tries=refused)


def accept_trace(reply: TraceReply, job: ArenaJob) -> QATrace:
    """The reply as a trace, before it is known which steps need a tool. Raises :class:`Rejected` with the first thing
    that is wrong with it."""
    question = job.question or reply.question
    if not question:
        raise Rejected("no_question", "`question` is missing", reply)
    paths = {sub.id: sub.state_path or None for sub in reply.subquestions} if job.stateful else {}
    try:
        trace = QATrace.model_validate(
            {
                "domain": job.domain,
                "language": job.language,
                "background": reply.background,
                "question": question,
                "final_answer": reply.final_answer,
                "subquestions": [
                    {
                        **sub.model_dump(),
                        "depends_on": sorted(sub.depends_on or []),
                        "state_path": paths.get(sub.id),
                    }
                    for sub in reply.subquestions
                ],
                "state": reply.state if job.stateful else None,
            }
        )
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise Rejected("bad_trace", told, reply) from None
    depends_on = {sub.id: sub.depends_on for sub in trace.subquestions}
    problem = shape_problem_of(depends_on, job) or _language(trace.question, trace.language)
    if problem := problem or (_state(trace) if job.stateful else None):
        raise Rejected(*problem, reply)
    return trace


def given_away(trace: QATrace) -> tuple[str, str] | None:
    """The first answer of a look-up that can be read off the question."""
    told = f"{trace.background}\n{trace.question}"
    for sub in trace.subquestions:
        if sub.needs_tool and sub.state_path is None and holds(told, sub.answer):
            return "answer_in_question", f"the answer of sub-question {sub.id}, {sub.answer!r}, stands in the question"
    return None


def shape_problem_of(depends_on: Mapping[int, Sequence[int]], job: ArenaJob) -> tuple[str, str] | None:
    """Why steps that depend on each other so are not of the shape that was asked for: reason and detail."""
    topology, hops = topology_of(depends_on), max(hop_levels(depends_on).values())
    if job.topology is not None and topology is not job.topology:
        return "wrong_topology", f"the dependencies make it {topology.value}, wanted is {job.topology.value}"
    least, most = job.hop_range()
    asked = job.hops or job.min_hops or job.max_hops
    if asked and not least <= hops <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        return "wrong_hops", f"the dependencies make {hops} layers, wanted are {wanted}"
    return None


def _state(trace: QATrace) -> tuple[str, str] | None:
    if not trace.state:
        return "no_state", "`state` is missing: the records that the tools share"
    changes = [sub for sub in trace.subquestions if sub.state_path is not None]
    if not changes:
        return "no_change", "no sub-question has a `state_path`: at least one must change the state"
    for sub in changes:
        assert sub.state_path is not None
        if same(resolve(trace.state, sub.state_path), sub.answer):
            return "done_before", f"sub-question {sub.id}: {sub.answer!r} stands at {sub.state_path} before any change"
    return None


def _language(question: str, language: str) -> tuple[str, str] | None:
    """Names keep their script, so a question in Chinese may hold much Latin, and one in English a Chinese name."""
    share = len(_CJK.findall(question)) / len(question)
    if share < 0.1 if language == "zh" else share > 0.3:
        return "wrong_language", f"the question is not written in the language {language!r}"
    return None
