"""Who works on what: claims, leases and endings. Each function is one or two statements in the caller's transaction.

A claim is known by ``(job, worker, attempt)``, and ``worker`` is a name made for this one claim. Every later statement
says ``WHERE`` all three, so that one who lost the lease can change nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from astra_proto.jobs import JobStatus
from sqlalchemy import CursorResult, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from astra_synth_worker.models import JobRow

LOST = "worker_lost"
"""The reason of a job whose every worker vanished in the middle of it."""


@dataclass(frozen=True)
class Claim:
    """A job in this worker's hands."""

    job_id: str
    kind: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    worker: str


async def bury(session: AsyncSession, now: datetime) -> int:
    """Declare dead the jobs whose last allowed attempt lost its worker. Gives their number."""
    statement = (
        update(JobRow)
        .where(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now, JobRow.attempt >= JobRow.max_attempts)
        .values(
            status=JobStatus.DEAD,
            reason=LOST,
            outcome={"reason": LOST, "detail": "the worker of every attempt was gone before it ended"},
            finished_at=now,
            lease_until=None,
            worker=None,
        )
    )
    return await _changed(session, statement)


async def claim(session: AsyncSession, worker: str, now: datetime, lease: timedelta) -> Claim | None:
    """Take the job that has waited longest, or whose worker let its lease run out; None if there is no such job."""
    free = or_(
        and_(JobRow.status == JobStatus.QUEUED, JobRow.run_after <= now),
        and_(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now, JobRow.attempt < JobRow.max_attempts),
    )
    # SKIP LOCKED lets workers on Postgres pass each other by; SQLite has one writer at a time and ignores it.
    first = (
        select(JobRow.seq).where(free).order_by(JobRow.run_after, JobRow.seq).limit(1).with_for_update(skip_locked=True)
    )
    statement = (
        update(JobRow)
        .where(JobRow.seq == first.scalar_subquery())
        .values(status=JobStatus.RUNNING, attempt=JobRow.attempt + 1, worker=worker, lease_until=now + lease)
        .returning(JobRow.id, JobRow.kind, JobRow.payload, JobRow.attempt, JobRow.max_attempts)
        .execution_options(synchronize_session=False)
    )
    row = (await session.execute(statement)).one_or_none()
    return Claim(row.id, row.kind, row.payload, row.attempt, row.max_attempts, worker) if row else None


async def renew(session: AsyncSession, held: Claim, until: datetime) -> bool:
    """Keep the lease until then. False if it is another's by now."""
    return await _changed(session, _mine(held).values(lease_until=until)) == 1


async def release(session: AsyncSession, held: Claim, now: datetime) -> bool:
    """Give the job back untried: it is queued as if it had not been claimed."""
    statement = _mine(held).values(
        status=JobStatus.QUEUED, attempt=held.attempt - 1, run_after=now, lease_until=None, worker=None
    )
    return await _changed(session, statement) == 1


async def retry(
    session: AsyncSession, held: Claim, now: datetime, run_after: datetime, outcome: dict[str, Any]
) -> bool:
    """The attempt failed: queue the job for later, or declare it dead if that was the last attempt."""
    last = held.attempt >= held.max_attempts
    statement = _mine(held).values(
        status=JobStatus.DEAD if last else JobStatus.QUEUED,
        reason=outcome["reason"],
        outcome=outcome,
        run_after=run_after,
        finished_at=now if last else None,
        lease_until=None,
        worker=None,
    )
    return await _changed(session, statement) == 1


async def finish(
    session: AsyncSession, held: Claim, now: datetime, status: JobStatus, outcome: dict[str, Any], reason: str | None
) -> bool:
    """End the job. False, with nothing changed, if the lease was lost."""
    statement = _mine(held).values(
        status=status, reason=reason, outcome=outcome, finished_at=now, lease_until=None, worker=None
    )
    return await _changed(session, statement) == 1


def _mine(held: Claim) -> Any:
    return update(JobRow).where(
        JobRow.id == held.job_id,
        JobRow.status == JobStatus.RUNNING,
        JobRow.worker == held.worker,
        JobRow.attempt == held.attempt,
    )


async def _changed(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
