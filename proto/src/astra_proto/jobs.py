"""Units of synthesis work. A job's key makes asking twice the same as asking once."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from astra_proto.arenas import Split, Topology
from astra_proto.base import Record, Reply, Request
from astra_proto.ids import JobId, Key, ServerId, ToolName


class JobStatus(StrEnum):
    """``queued → running → done | failed``; a failed try is queued again until tries run out, then ``dead``."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It ran to its end and there is nothing to publish: refused, with the reason in ``outcome``."""
    DEAD = "dead"
    """Every try ended in an error."""


class TrajectoryJob(Request):
    """Pipeline A once: a task for a chain of a server, an agent's run on it, a score."""

    kind: Literal["trajectory"] = "trajectory"
    server_id: ServerId
    chain: Annotated[list[ToolName], Field(max_length=8)]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class ArenaJob(Request):
    """Pipeline B once: a question decomposed, made into tools with code, checked, published."""

    kind: Literal["arena"] = "arena"
    domain: Annotated[str, Field(min_length=1, max_length=100)]
    question: Annotated[str, Field(max_length=20_000)] | None = None
    """The main question; null to invent one from the domain and the knowledge."""
    knowledge: Annotated[str, Field(max_length=50_000)] | None = None
    topology: Topology | None = None
    hops: Annotated[int, Field(ge=1, le=6)] | None = None
    """Number of layers wanted; null leaves it to the teacher."""
    language: Literal["en", "zh"] = "en"
    split: Split | None = None
    """Null draws the split from a hash of the question."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


JobPayload = Annotated[TrajectoryJob | ArenaJob, Field(discriminator="kind")]


class CreateJob(Request):
    """Work to be done once. The same key again returns the job that is there."""

    key: Key
    payload: JobPayload
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3


class CreateJobs(Request):
    """Many at once."""

    jobs: Annotated[list[CreateJob], Field(min_length=1, max_length=1_000)]


class StageRecord(Record):
    """One stage of a job's pipeline: its output is stored, so that a rerun goes on behind it."""

    name: str
    input_hash: str
    output: JsonValue


class Job(Reply):
    """A job as it stands."""

    id: JobId
    key: Key
    payload: JobPayload
    status: JobStatus
    attempt: int
    max_attempts: int
    outcome: dict[str, JsonValue]
    """Done: ``{"arena_id"|"trajectory_id": ..}``. Failed or dead: ``{"reason": .., "detail": ..}``."""
    created_at: datetime
    finished_at: datetime | None


class JobCounts(Reply):
    """How the work stands, by kind and status, and why jobs were refused."""

    by_kind: dict[str, dict[JobStatus, int]]
    reasons: dict[str, dict[str, int]]
    """Kind to reason to count, over failed and dead jobs."""
