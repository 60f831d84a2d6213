"""Trajectories in the database."""

from datetime import datetime

from astra_proto.trajectories import Trajectory
from astra_service.database import upsert
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from astra_synth_worker.models import TrajectoryRow


async def store(session: AsyncSession, trajectory: Trajectory, job_id: str, now: datetime) -> bool:
    """Store it under its content's id. False if another job has made the very same one."""
    table = TrajectoryRow.__table__
    assert isinstance(table, Table)
    row = {
        "id": trajectory.id,
        "job_id": job_id,
        "server_id": trajectory.task.server_id,
        "kept": trajectory.kept,
        "reason": trajectory.reason,
        "body": trajectory.model_dump(mode="json"),
        "created_at": now,
    }
    await session.execute(upsert(session, table, row, ["id"]))
    owner = await session.scalar(select(TrajectoryRow.job_id).where(TrajectoryRow.id == trajectory.id))
    return owner == job_id


async def find(session: AsyncSession, trajectory_id: str) -> Trajectory | None:
    """The trajectory of that id."""
    body = await session.scalar(select(TrajectoryRow.body).where(TrajectoryRow.id == trajectory_id))
    return Trajectory.model_validate(body) if body is not None else None


async def page(session: AsyncSession, kept: bool | None, after: int, limit: int) -> list[tuple[int, Trajectory]]:
    """At most ``limit`` trajectories behind row ``after``, with their row numbers."""
    query = select(TrajectoryRow.seq, TrajectoryRow.body).where(TrajectoryRow.seq > after)
    if kept is not None:
        query = query.where(TrajectoryRow.kept == kept)
    rows = await session.execute(query.order_by(TrajectoryRow.seq).limit(limit))
    return [(row.seq, Trajectory.model_validate(row.body)) for row in rows]
