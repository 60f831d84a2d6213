"""Tasks, and the trajectories of agents that worked on them (paper §3.1)."""

from typing import Annotated, Literal

from pydantic import Field

from astra_proto.base import Record
from astra_proto.ids import ServerId, ToolName, TrajectoryId
from astra_proto.messages import Message, ToolSpec


class Task(Record):
    """What a user asks, and the tools that it should take."""

    schema_version: Literal[1] = 1
    server_id: ServerId
    question: Annotated[str, Field(min_length=1, max_length=20_000)]
    chain: list[ToolName]
    """The tools the task was written for, in order; empty for a task written from the server alone."""


class TrajectoryScore(Record):
    """Seven dimensions in [0, 1] (paper §3.1.5). Null is "unscored": no verdict was given, which is never a pass."""

    query_understanding: float | None
    query_planning: float | None
    response_understanding: float | None
    response_planning: float | None
    call_status: float | None
    conciseness: float | None
    final_answer: float | None

    def mean(self) -> float | None:
        """The arithmetic mean, or null if any dimension is unscored."""
        scores = list(self.model_dump().values())
        return None if any(s is None for s in scores) else sum(scores) / len(scores)


class Trajectory(Record):
    """One agent run on one task, with what its tools really answered."""

    schema_version: Literal[1] = 1
    id: TrajectoryId
    task: Task
    tools: list[ToolSpec]
    messages: list[Message]
    score: TrajectoryScore
    kept: bool
    """Whether it passed the filter."""
    reason: str
    """Why it was not kept; empty if it was."""
    teacher: str
    """``offline`` or the name of the model."""
