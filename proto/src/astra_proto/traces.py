"""A question, its answer, and its decomposition into sub-questions with answers (paper §3.2.1)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from astra_proto.arenas import Answer, Topology
from astra_proto.base import Record
from astra_proto.state import State


class SubQuestion(Record):
    """One step towards the final answer."""

    id: Annotated[int, Field(ge=1)]
    question: Annotated[str, Field(min_length=1, max_length=5_000)]
    answer: JsonValue
    depends_on: list[int] = []
    """Ids of earlier sub-questions whose answers this one needs."""
    needs_tool: bool = True
    """False for what can be said from the other answers alone; such a sub-question is a leaf (paper §3.2.2)."""
    state_path: Annotated[str, Field(max_length=500, pattern=r"^(/([^~/]|~[01])*)+$")] | None = None
    """JSON Pointer into the state: the step changes it, and is done while the value there equals the answer."""

    @model_validator(mode="after")
    def _says_something(self) -> "SubQuestion":
        Answer(value=self.answer)
        return self


class QATrace(Record):
    """A main question and the DAG that leads to its final answer. Hop levels are computed, never trusted."""

    schema_version: Literal[1] = 1
    domain: str
    language: Literal["en", "zh"] = "en"
    background: Annotated[str, Field(max_length=20_000)] = ""
    """What the agent is told beside the question."""
    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    final_answer: JsonValue
    subquestions: Annotated[list[SubQuestion], Field(min_length=1, max_length=32)]
    state: State | None = None
    """Records that the tools share and change; None where no tool changes anything."""

    @model_validator(mode="after")
    def _is_a_dag(self) -> "QATrace":
        Answer(value=self.final_answer)
        seen: set[int] = set()
        for sub in self.subquestions:
            where = f"subquestions[id={sub.id}]"
            if sub.id in seen:
                raise ValueError(f"{where}.id: used twice")
            if late := [d for d in sub.depends_on if d not in seen]:
                raise ValueError(f"{where}.depends_on: {late} do not come earlier in the list")
            if len(set(sub.depends_on)) < len(sub.depends_on):
                raise ValueError(f"{where}.depends_on: names one sub-question twice")
            if sub.state_path is not None and self.state is None:
                raise ValueError(f"{where}.state_path: the trace has no state for it to point into")
            seen.add(sub.id)
        needed = {d for sub in self.subquestions for d in sub.depends_on}
        if inner := [sub.id for sub in self.subquestions if not sub.needs_tool and sub.id in needed]:
            raise ValueError(
                f"subquestions: {inner} need no tool, yet others depend on them; only leaves may do without"
            )
        return self

    def hop_levels(self) -> dict[int, int]:
        """Sub-question id to its layer: 1 without dependencies, else one more than the deepest of them."""
        return hop_levels({sub.id: sub.depends_on for sub in self.subquestions})

    def topology(self) -> Topology:
        """Which of the paper's four shapes the DAG has."""
        return topology_of({sub.id: sub.depends_on for sub in self.subquestions})


class JudgeScores(Record):
    """What the four judges of a trace gave (paper §3.2.2), from 0 to 1. None: no verdict, which is never a pass."""

    dependency: float | None
    """Share of sub-questions whose dependencies give exactly what they need."""
    atomicity: float | None
    """Share of sub-questions with one focus, answered by one call."""
    sequential: float | None
    """Share of sub-questions that are not put in a row without need."""
    completeness: float | None
    """1 if the sub-questions cover all that the question asks for and the final answer follows from them, else 0."""

    def mean(self) -> float | None:
        """The quality of the trace; None as long as one judge has given no verdict."""
        scores = (self.dependency, self.atomicity, self.sequential, self.completeness)
        given = [score for score in scores if score is not None]
        return sum(given) / len(given) if len(given) == len(scores) else None


class ScoredTrace(Record):
    """A trace, what the judges said of it, and what it has cost: an arena made of it has that in its provenance."""

    trace: QATrace
    scores: JudgeScores
    prompts: dict[str, str] = {}
    """Prompt name to the hash of its template."""
    llm_calls: Annotated[int, Field(ge=0)] = 0
    tokens: Annotated[int, Field(ge=0)] = 0
    refused: dict[str, int] = {}
    """Reason to number of drafts that were refused on the way."""


def hop_levels(depends_on: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Id to layer, of a DAG whose ids stand in an order in which nothing comes before what it depends on.

    >>> hop_levels({1: [], 2: [], 3: [1, 2], 4: [3]})
    {1: 1, 2: 1, 3: 2, 4: 3}
    """
    levels: dict[int, int] = {}
    for each, needs in depends_on.items():
        levels[each] = 1 + max((levels[d] for d in needs), default=0)
    return levels


def topology_of(depends_on: Mapping[int, Sequence[int]]) -> Topology:
    """Which of the paper's four shapes a DAG has.

    >>> topology_of({1: [], 2: [1]}).value
    'multi_hop'
    """
    levels = hop_levels(depends_on).values()
    if len(depends_on) == 1:
        return Topology.SINGLE_HOP
    if max(levels) == 1:
        return Topology.PARALLEL_SINGLE_HOP
    return Topology.MULTI_HOP if max(levels) == len(depends_on) else Topology.PARALLEL_MULTI_HOP


def shape_problem(topology: Topology | None, hops: int | None) -> str | None:
    """Why no DAG can have both this topology and this number of layers; None if one can.

    >>> shape_problem(Topology.SINGLE_HOP, 3)
    'hops: single_hop has 1 layer, not 3'
    """
    if topology is None or hops is None:
        return None
    flat = topology in (Topology.SINGLE_HOP, Topology.PARALLEL_SINGLE_HOP)
    if flat == (hops == 1):
        return None
    return f"hops: {topology.value} has {'1 layer' if flat else 'at least 2 layers'}, not {hops}"
