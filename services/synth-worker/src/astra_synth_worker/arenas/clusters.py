"""Which tools should be one: the model groups them by intent, and what it says is held to stated criteria (§3.2.4)."""

from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace
from pydantic import BaseModel, ConfigDict

from astra_synth_worker.arenas.code import operators
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.arenas.question import origin
from astra_synth_worker.arenas.tries import Earlier, GivenUp, Rejected, Try, until_good
from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import ask
from astra_synth_worker.llm.base import Prompt


class ClusterReply(BaseModel):
    """A group as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    intent: str = ""
    ids: list[int]
    reason: str = ""


class ClustersReply(BaseModel):
    """All groups."""

    model_config = ConfigDict(extra="ignore")

    clusters: list[ClusterReply]


class Clusters(Record):
    """Groups of sub-questions that should share a tool, each of two members or more."""

    groups: list[list[int]]
    tries: list[Try] = []


async def cluster(job: ArenaJob, trace: QATrace, parts: list[Part], context: Context) -> Clusters:
    """The groups among the parts; none where no two of them could share a tool, or the model is not understood."""
    eligible = might_be_one(parts)
    if not eligible:
        return Clusters(groups=[])
    questions = {sub.id: sub for sub in trace.subquestions}
    members = [
        {
            "id": part.id,
            "question": questions[part.id].question,
            "answer": questions[part.id].answer,
            "call": part.call.arguments,
            **part.tool.model_dump(include={"name", "description", "parameters", "code"}),
        }
        for part in eligible
    ]

    async def draft(number: int, earlier: Earlier | None) -> list[list[int]]:
        variables = {**origin(job), "members": members, "earlier": earlier}
        prompt = Prompt("tool_clusters", variables, temperature=0.0, seed=job.seed + number)
        return _accept(await ask(context.llm, prompt, ClustersReply, context.usage), eligible)

    try:
        groups, tries = await until_good("clusters", context.settings.judge_tries, draft)
    except GivenUp as error:
        return Clusters(groups=[], tries=error.failure.tries)
    return Clusters(groups=groups, tries=tries)


def might_be_one(parts: list[Part]) -> list[Part]:
    """The parts that have a counterpart with a tool of its own which takes and computes the same."""
    return [part for part in parts if any(other.tool != part.tool and alike(other, part) for other in parts)]


def alike(one: Part, other: Part) -> bool:
    """Whether two tools take required parameters of the same types and compute with the same operators."""
    return _types(one) == _types(other) and operators(one.tool.code) == operators(other.tool.code)


def _types(part: Part) -> list[str]:
    parameters = part.tool.parameters
    return sorted(str(parameters["properties"][name].get("type")) for name in parameters.get("required", []))


def _accept(reply: ClustersReply, eligible: list[Part]) -> list[list[int]]:
    """The groups, each without the members that are not :func:`alike` its first one. Raises :class:`Rejected`."""
    by_id = {part.id: part for part in eligible}
    named = [i for each in reply.clusters for i in each.ids]
    if strange := sorted(set(named) - set(by_id)):
        raise Rejected("no_such_tool", f"ids: there are no tools {strange}", reply)
    if len(set(named)) < len(named):
        raise Rejected("in_two_groups", "ids: each tool stands in one group at most", reply)
    groups = []
    for each in reply.clusters:
        ids = sorted(each.ids)
        fitting = [i for i in ids if alike(by_id[ids[0]], by_id[i])]
        if len(fitting) > 1:
            groups.append(fitting)
    return groups
