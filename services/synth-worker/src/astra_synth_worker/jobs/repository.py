"""Jobs and their stages as callers see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from astra_proto.ids import content_id
from astra_proto.jobs import CreateJob, Job, JobStatus, StageRecord
from astra_service.database import upsert
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from astra_synth_worker.models import JobRow, StageRow


async def add(session: AsyncSession, jobs: Sequence[CreateJob], now: datetime) -> None:
    """Insert the jobs whose keys are new; leave the others as they are."""
    table = JobRow.__table__
    assert isinstance(table, Table)
    rows = [
        {
            "id": content_id("job", {"key": job.key}),
            "key": job.key,
            "kind": job.payload.kind,
            "payload": job.payload.model_dump(mode="json"),
            "status": JobStatus.QUEUED.value,
            "attempt": 0,
            "max_attempts": job.max_attempts,
            "run_after": now,
            "outcome": {},
            "created_at": now,
        }
        for job in jobs
    ]
    await session.execute(upsert(session, table, rows, ["key"]))


async def by_keys(session: AsyncSession, keys: Sequence[str]) -> dict[str, Job]:
    """The jobs that have these keys, by key."""
    rows = await session.scalars(select(JobRow).where(JobRow.key.in_(keys)))
    return {row.key: _job(row) for row in rows}


async def find(session: AsyncSession, job_id: str) -> Job | None:
    """The job of that id."""
    row = await session.scalar(select(JobRow).where(JobRow.id == job_id))
    return _job(row) if row is not None else None


async def page(
    session: AsyncSession, kind: str | None, status: JobStatus | None, after: int, limit: int
) -> list[tuple[int, Job]]:
    """At most ``limit`` jobs behind row ``after``, oldest first, with their row numbers."""
    query = select(JobRow).where(JobRow.seq > after)
    if kind is not None:
        query = query.where(JobRow.kind == kind)
    if status is not None:
        query = query.where(JobRow.status == status)
    return [(row.seq, _job(row)) for row in await session.scalars(query.order_by(JobRow.seq).limit(limit))]


async def stages(session: AsyncSession, job_id: str, after: int, limit: int) -> list[tuple[int, StageRecord]]:
    """At most ``limit`` stored stages of a job behind row ``after``, in the order they were stored."""
    query = select(StageRow).where(StageRow.job_id == job_id, StageRow.seq > after).order_by(StageRow.seq)
    return [
        (row.seq, StageRecord(name=row.name, input_hash=row.input_hash, output=row.output))
        for row in await session.scalars(query.limit(limit))
    ]


async def counts(session: AsyncSession) -> list[tuple[str, str, str | None, int]]:
    """Number of jobs by kind, status and reason."""
    columns = (JobRow.kind, JobRow.status, JobRow.reason)
    rows = await session.execute(select(*columns, func.count()).group_by(*columns))
    return [(kind, status, reason, number) for kind, status, reason, number in rows]


def _job(row: JobRow) -> Job:
    fields: dict[str, Any] = {name: getattr(row, name) for name in Job.model_fields}
    return Job.model_validate(fields)
