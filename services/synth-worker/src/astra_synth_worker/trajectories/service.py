"""What callers may do with trajectories: look at them."""

from astra_proto.errors import NotFound
from astra_proto.pages import Page
from astra_proto.trajectories import Trajectory
from astra_service import cursors
from sqlalchemy.ext.asyncio import AsyncSession

from astra_synth_worker.trajectories import repository


async def get(session: AsyncSession, trajectory_id: str) -> Trajectory:
    """The trajectory. Raises :class:`NotFound`."""
    trajectory = await repository.find(session, trajectory_id)
    if trajectory is None:
        raise NotFound(f"there is no trajectory {trajectory_id!r}")
    return trajectory


async def listing(session: AsyncSession, kept: bool | None, cursor: str | None, limit: int) -> Page[Trajectory]:
    """A page of trajectories, oldest first."""
    return cursors.rows_page(await repository.page(session, kept, cursors.after_row(cursor), limit + 1), limit)
