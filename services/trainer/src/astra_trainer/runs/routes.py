"""Routes of training runs."""

from typing import Annotated, cast

from astra_proto.ids import RunId
from astra_proto.pages import Page
from astra_proto.runs import CreateRun, MetricPoint, Run
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Depends, Request

from astra_trainer.runs import service
from astra_trainer.state import StateDep
from astra_trainer.work.supervisor import Supervisor

router = APIRouter(prefix="/runs", tags=["runs"])


def _supervisor(request: Request) -> Supervisor:
    return cast(Supervisor, request.app.state.supervisor)


@router.post("", status_code=202, summary="Train once")
async def create_run(body: CreateRun, state: StateDep) -> Run:
    """Queue a training run. The same key again returns the run that is there; one that was cut off is taken up."""
    return await service.create(state, body)


@router.get("", summary="List runs")
async def list_runs(state: StateDep, cursor: Cursor = None, limit: Limit = 50) -> Page[Run]:
    """All runs, page by page."""
    return await service.listing(state, cursor, limit)


@router.get("/{run_id}", summary="One run")
async def get_run(run_id: RunId, state: StateDep) -> Run:
    """How a run stands."""
    return await service.get(state, run_id)


@router.get("/{run_id}/metrics", summary="What a run logged")
async def get_run_metrics(
    run_id: RunId, state: StateDep, cursor: Cursor = None, limit: Limit = 500
) -> Page[MetricPoint]:
    """The numbers of each step, page by page; a run that is going on grows new ones."""
    return await service.metrics(state, run_id, cursor, limit)


@router.post("/{run_id}/stop", summary="Stop a run")
async def stop_run(run_id: RunId, state: StateDep, supervisor: Annotated[Supervisor, Depends(_supervisor)]) -> Run:
    """Let the engine save and end. The same key takes the run up again."""
    return await service.stop(state, supervisor, run_id)
