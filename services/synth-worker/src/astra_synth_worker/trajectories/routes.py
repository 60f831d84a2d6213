"""Trajectories over HTTP."""

from typing import Annotated

from astra_proto.ids import TrajectoryId
from astra_proto.pages import Page
from astra_proto.trajectories import Trajectory
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Query

from astra_synth_worker.state import StateDep
from astra_synth_worker.trajectories import service

router = APIRouter(tags=["trajectories"])

Kept = Annotated[bool | None, Query(description="Only those that passed the filter, or only those that did not.")]


@router.get("/trajectories", summary="List trajectories")
async def list_trajectories(
    state: StateDep, kept: Kept = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[Trajectory]:
    """Trajectories in the order they were made, refused ones included unless `kept` says otherwise."""
    async with state.db.session() as session:
        return await service.listing(session, kept, cursor, limit)


@router.get("/trajectories/{trajectory_id}", summary="One trajectory")
async def get_trajectory(trajectory_id: TrajectoryId, state: StateDep) -> Trajectory:
    """The conversation, the tools and the score."""
    async with state.db.session() as session:
        return await service.get(session, trajectory_id)
