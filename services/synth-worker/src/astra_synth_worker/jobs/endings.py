"""How an attempt at a job ends, and which endings are final."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from astra_proto.errors import AstraError, CapacityReached, Unauthorized, Unavailable, UpstreamFailed
from astra_proto.jobs import JobStatus
from astra_proto.trajectories import Trajectory

from astra_synth_worker.jobs.context import Refused
from astra_synth_worker.llm.ask import MalformedReply
from astra_synth_worker.llm.base import BudgetSpent, LLMFailed


@dataclass(frozen=True)
class Ending:
    """What becomes of the job. ``status`` None: it is tried again, as long as tries are left."""

    status: JobStatus | None
    reason: str | None
    detail: str
    result: dict[str, Any] = field(default_factory=dict)
    trajectory: Trajectory | None = None

    def outcome(self) -> dict[str, Any]:
        """The ``outcome`` of the job."""
        why = {} if self.reason is None else {"reason": self.reason, "detail": self.detail}
        return {**why, **self.result}

    def as_duplicate(self) -> "Ending":
        """The same ending when what was made had been made by another job before."""
        assert self.trajectory is not None
        detail = f"{self.trajectory.id} was made by another job before"
        return replace(self, status=JobStatus.FAILED, reason="duplicate", detail=detail, trajectory=None)


def ended(error: Exception) -> Ending:
    """The ending that an error stands for.

    A refusal is final. So is a model that cannot be understood however often it is asked, or that has used up its
    budget. Everything else may be different next time: a service that is down, a model that does not answer, a fault
    of ours.
    """
    cause = _first(error)
    if isinstance(cause, Refused):
        detail, kept = cause.detail, cause.trajectory
        result = {**cause.counted, **({"trajectory_id": kept.id} if kept is not None else {})}
        return Ending(JobStatus.FAILED, cause.reason, _short(detail), result, kept)
    if isinstance(cause, MalformedReply):
        return Ending(JobStatus.FAILED, "malformed_reply", _short(str(cause)))
    if isinstance(cause, BudgetSpent):
        return Ending(JobStatus.FAILED, "over_budget", _short(str(cause)))
    if isinstance(cause, LLMFailed):
        return Ending(None, "llm_failed", _short(str(cause)))
    if isinstance(cause, (Unavailable, CapacityReached, UpstreamFailed, Unauthorized)):
        return Ending(None, _snake(type(cause).__name__), _short(str(cause)))
    if isinstance(cause, TimeoutError):
        return Ending(None, "timeout", _short(str(cause)) or "the attempt took longer than it may")
    reason = _snake(type(cause).__name__) if isinstance(cause, AstraError) else "error"
    return Ending(None, reason, _short(f"{type(cause).__name__}: {cause}"))


def _first(error: BaseException) -> BaseException:
    """The error that matters in a group: a refusal if there is one, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_first(child) for child in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, Refused)), leaves[0])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _short(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:2_000]
