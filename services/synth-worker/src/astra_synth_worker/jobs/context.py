"""What a pipeline is given to work with, and how it ends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from astra_proto.trajectories import Trajectory
from astra_service.client import ApiClient
from pydantic import JsonValue

from astra_synth_worker.llm.base import LLM, Usage
from astra_synth_worker.settings import Settings

Output = TypeVar("Output")


class Refused(Exception):
    """The job ran to its end and a filter or gate refused what it made: it is failed, and not tried again."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        trajectory: Trajectory | None = None,
        counted: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self.reason = reason
        """A short name by which refusals are counted, such as ``low_score``."""
        self.detail = detail
        self.trajectory = trajectory
        """What was refused, stored all the same so that it can be looked at."""
        self.counted = dict(counted or {})
        """What it took to find out: put into the job's outcome beside the reason."""
        super().__init__(f"{reason}: {detail}" if detail else reason)


@dataclass(frozen=True)
class Outcome:
    """How a job that was not refused ended: what it published, such as ``{"arena_id": ..}``."""

    result: dict[str, JsonValue]
    trajectory: Trajectory | None = None
    """Stored in the transaction that ends the job, so that a worker which lost its lease stores nothing."""


class StageRunner(Protocol):
    """Runs a stage, or gives the output that is stored of it."""

    async def __call__(
        self, name: str, inputs: Any, fn: Callable[[], Awaitable[Output]], output: type[Output], /
    ) -> Output:
        """See :attr:`Context.stage`."""


@dataclass(frozen=True)
class Context:
    """One attempt at one job."""

    job_id: str
    llm: LLM
    usage: Usage
    """What the job has spent, stages of earlier attempts included; stages give it to ``ask`` and ``complete``."""
    registry: ApiClient
    env_server: ApiClient
    settings: Settings
    stage: StageRunner
    """``await context.stage("qa", inputs, fn, QATrace)``: the stored output of the stage if this job ran it on equal
    inputs with the same model and prompt templates, else what ``await fn()`` gives, stored before it is
    returned. ``inputs`` and the output are pydantic models or JSON values, or lists and dicts of them."""


Pipeline = Callable[[Any, Context], Awaitable[Outcome]]
"""A job's payload and context to its outcome. It raises :class:`Refused` when there is nothing to publish, and lets
every failure of infrastructure pass through: the job is then tried again."""
