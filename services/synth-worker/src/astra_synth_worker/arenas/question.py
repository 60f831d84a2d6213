"""The question decomposed: a trace whose every property is computed here and none believed (paper §3.2.1, §3.2.2)."""

import re

from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace, shape_problem
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.tries import Earlier, Rejected, Try, until_good
from astra_synth_worker.jobs.context import Context, Refused
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
    needs_tool: bool = True


class TraceReply(BaseModel):
    """The decomposition as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    background: str = ""
    question: str | None = None
    final_answer: JsonValue
    subquestions: list[SubReply]


class Decomposition(Record):
    """A trace, and the ones refused before it."""

    trace: QATrace
    tries: list[Try]


def origin(job: ArenaJob) -> dict[str, JsonValue]:
    """Where a prompt comes from. The offline teacher finds the world again by it; for a model it is the setting."""
    return {
        "domain": job.domain,
        "language": job.language,
        "seed": job.seed,
        "topology": job.topology.value if job.topology else None,
        "hops": job.hops,
    }


async def decompose(job: ArenaJob, context: Context) -> Decomposition:
    """The trace of the job's question, or of one that is invented from its domain and knowledge."""
    if problem := shape_problem(job.topology, job.hops):
        raise Refused("impossible_shape", problem)
    if job.question and (wrong := _language(job.question, job.language)):
        raise Refused(*wrong)

    async def draft(number: int, earlier: Earlier | None) -> QATrace:
        variables = {**origin(job), "question": job.question, "knowledge": job.knowledge, "earlier": earlier}
        prompt = Prompt("qa_trace", variables, temperature=0.9, seed=job.seed + number)
        return accept_trace(await ask(context.llm, prompt, TraceReply, context.usage), job)

    trace, refused = await until_good("question", context.settings.question_tries, draft)
    return Decomposition(trace=trace, tries=refused)


def accept_trace(reply: TraceReply, job: ArenaJob) -> QATrace:
    """The reply as a trace. Raises :class:`Rejected` with the first thing wrong with it."""
    question = job.question or reply.question
    if not question:
        raise Rejected("no_question", "`question` is missing", reply)
    try:
        trace = QATrace.model_validate(
            {
                "domain": job.domain,
                "language": job.language,
                "background": reply.background,
                "question": question,
                "final_answer": reply.final_answer,
                "subquestions": [
                    {**sub.model_dump(), "depends_on": sorted(sub.depends_on or [])} for sub in reply.subquestions
                ],
            }
        )
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise Rejected("bad_trace", told, reply) from None
    if problem := _shape(trace, job) or _given_away(trace) or _language(trace.question, trace.language):
        raise Rejected(*problem, reply)
    return trace


def _shape(trace: QATrace, job: ArenaJob) -> tuple[str, str] | None:
    if not any(sub.needs_tool for sub in trace.subquestions):
        return "no_tool_needed", "no sub-question needs a tool: then there is nothing to act on"
    topology, hops = trace.topology(), max(trace.hop_levels().values())
    if job.topology is not None and topology is not job.topology:
        return "wrong_topology", f"the dependencies make it {topology.value}, wanted is {job.topology.value}"
    if job.hops is not None and hops != job.hops:
        return "wrong_hops", f"the dependencies make {hops} layers, wanted are {job.hops}"
    return None


def _given_away(trace: QATrace) -> tuple[str, str] | None:
    told = f"{trace.background}\n{trace.question}"
    for sub in trace.subquestions:
        if sub.needs_tool and holds(told, sub.answer):
            return "answer_in_question", f"the answer of sub-question {sub.id}, {sub.answer!r}, stands in the question"
    return None


def _language(question: str, language: str) -> tuple[str, str] | None:
    """Names keep their script, so a question in Chinese may hold much Latin, and one in English a Chinese name."""
    share = len(_CJK.findall(question)) / len(question)
    if share < 0.1 if language == "zh" else share > 0.3:
        return "wrong_language", f"the question is not written in the language {language!r}"
    return None
