"""Routes of evaluations."""

from typing import Annotated

from astra_proto.pages import Page
from astra_proto.runs import CreateEvaluation, Evaluation
from astra_proto.solve_rates import RecordedSolveRates
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Path

from astra_trainer.evaluations import service
from astra_trainer.state import StateDep

router = APIRouter(prefix="/evaluations", tags=["evaluations"])
EvaluationId = Annotated[str, Path(pattern=r"^ev_[0-9a-f]{32}$")]


@router.post("", status_code=202, summary="Evaluate once")
async def create_evaluation(body: CreateEvaluation, state: StateDep) -> Evaluation:
    """Queue an evaluation: a policy plays the arenas of a split under each seed. Idempotent on the key."""
    return await service.create(state, body)


@router.get("", summary="List evaluations")
async def list_evaluations(state: StateDep, cursor: Cursor = None, limit: Limit = 50) -> Page[Evaluation]:
    """All evaluations, page by page."""
    return await service.listing(state, cursor, limit)


@router.get("/{evaluation_id}", summary="One evaluation")
async def get_evaluation(evaluation_id: EvaluationId, state: StateDep) -> Evaluation:
    """How an evaluation stands, and its result when it is done."""
    return await service.get(state, evaluation_id)


@router.post("/{evaluation_id}/solve-rates", summary="Record solve rates")
async def record_solve_rates(evaluation_id: EvaluationId, state: StateDep) -> RecordedSolveRates:
    """Tell the env-server how often each arena was solved. Evaluations do so at their end; this does it again, for
    arenas that were published since, or when the env-server did not answer. Idempotent.
    """
    return await service.record(state, evaluation_id)
