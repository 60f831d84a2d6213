"""Rows of the queue."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from astra_proto.runs import RunStatus
from astra_service.database import upsert
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from astra_trainer.models import WorkRow


async def add(session: AsyncSession, row: dict[str, Any]) -> WorkRow:
    """The row with this key: a new one, or the one that is there."""
    await session.execute(upsert(session, WorkRow.__table__, row, ["key"]))
    return (await session.execute(select(WorkRow).where(WorkRow.key == row["key"]))).scalar_one()


async def find(session: AsyncSession, work_id: str) -> WorkRow | None:
    """The row of this id."""
    return await session.get(WorkRow, work_id)


async def page(session: AsyncSession, kind: str, after: str, limit: int) -> Sequence[WorkRow]:
    """Rows of a kind by id, behind ``after``."""
    query = select(WorkRow).where(WorkRow.kind == kind, WorkRow.id > after).order_by(WorkRow.id).limit(limit)
    return (await session.execute(query)).scalars().all()


async def requeue(session: AsyncSession, work_id: str, *statuses: RunStatus) -> bool:
    """Queue it again if it is in one of these states."""
    query = update(WorkRow).where(WorkRow.id == work_id, WorkRow.status.in_(statuses))
    changed = await session.execute(query.values(status=RunStatus.QUEUED, detail="", finished_at=None))
    return bool(changed.rowcount)  # type: ignore[attr-defined]


async def requeue_running(session: AsyncSession) -> None:
    """Queue everything again that was running: at the start of the service nobody works on it."""
    query = update(WorkRow).where(WorkRow.status == RunStatus.RUNNING)
    await session.execute(query.values(status=RunStatus.QUEUED))


async def take(session: AsyncSession) -> WorkRow | None:
    """The oldest queued row, now running."""
    query = select(WorkRow).where(WorkRow.status == RunStatus.QUEUED).order_by(WorkRow.created_at, WorkRow.id).limit(1)
    row = (await session.execute(query.with_for_update(skip_locked=True))).scalar_one_or_none()
    if row is not None:
        row.status = RunStatus.RUNNING
    return row


async def progress(session: AsyncSession, work_id: str, step: int, total: int | None) -> None:
    """Note how far it is."""
    query = update(WorkRow).where(WorkRow.id == work_id, WorkRow.status == RunStatus.RUNNING)
    await session.execute(query.values(step=step, total_steps=total))


async def finish(
    session: AsyncSession, work_id: str, status: RunStatus, at: datetime, detail: str = "", result: Any = None
) -> None:
    """Note how it ended."""
    query = update(WorkRow).where(WorkRow.id == work_id)
    await session.execute(query.values(status=status, finished_at=at, detail=detail, result=result))
