"""A question, its answer, and its decomposition into sub-questions with answers (paper §3.2.1)."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from astra_proto.arenas import Topology
from astra_proto.base import Record


class SubQuestion(Record):
    """One step of a decomposition."""

    id: Annotated[int, Field(ge=1)]
    question: Annotated[str, Field(min_length=1, max_length=5_000)]
    answer: JsonValue
    depends_on: list[int] = []
    """Ids of earlier sub-questions whose answers this one needs."""


class QATrace(Record):
    """A main question and the DAG that leads to its final answer. Hop levels are computed, never trusted."""

    schema_version: Literal[1] = 1
    domain: str
    language: Literal["en", "zh"] = "en"
    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    final_answer: JsonValue
    subquestions: Annotated[list[SubQuestion], Field(min_length=1, max_length=32)]

    @model_validator(mode="after")
    def _is_a_dag(self) -> "QATrace":
        seen: set[int] = set()
        for sub in self.subquestions:
            if sub.id in seen:
                raise ValueError(f"subquestions: id {sub.id} is used twice")
            if late := [d for d in sub.depends_on if d not in seen]:
                raise ValueError(f"subquestions[id={sub.id}].depends_on: {late} do not come earlier in the list")
            seen.add(sub.id)
        return self

    def hop_levels(self) -> dict[int, int]:
        """Sub-question id to its layer: 1 where nothing is needed, else one more than the deepest that is."""
        levels: dict[int, int] = {}
        for sub in self.subquestions:
            levels[sub.id] = 1 + max((levels[d] for d in sub.depends_on), default=0)
        return levels

    def topology(self) -> Topology:
        """Which of the paper's four shapes the DAG has."""
        levels = self.hop_levels().values()
        if len(self.subquestions) == 1:
            return Topology.SINGLE_HOP
        if max(levels) == 1:
            return Topology.PARALLEL_SINGLE_HOP
        return Topology.MULTI_HOP if max(levels) == len(self.subquestions) else Topology.PARALLEL_MULTI_HOP
