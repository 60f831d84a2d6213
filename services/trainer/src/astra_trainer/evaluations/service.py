"""What can be done with evaluations."""

from astra_proto.errors import Conflict, NotFound
from astra_proto.ids import content_id
from astra_proto.pages import Page
from astra_proto.runs import CreateEvaluation, Evaluation, EvaluationResult, RunStatus
from astra_proto.solve_rates import RecordedSolveRates
from astra_service import cursors

from astra_trainer.evaluations import solve_rates
from astra_trainer.models import WorkRow
from astra_trainer.state import State
from astra_trainer.work import repository
from astra_trainer.work.folder import BASE_SCRATCH
from astra_trainer.work.supervisor import EVALUATION, TOPIC


async def create(state: State, body: CreateEvaluation) -> Evaluation:
    """Queue an evaluation, or return the one of this key; one that failed is tried again."""
    request = body.model_dump(mode="json")
    values = {
        "id": content_id("ev", [EVALUATION, body.key]), "kind": EVALUATION, "key": f"{EVALUATION}:{body.key}",
        "request": request, "status": RunStatus.QUEUED, "step": 0, "total_steps": None, "detail": "", "result": None,
        "created_at": state.now(), "finished_at": None,
    }  # fmt: skip
    async with state.db.session() as session:
        if body.policy != BASE_SCRATCH:
            run = await repository.find(session, body.policy)
            if run is None or run.kind != "run":
                raise NotFound(f"body.policy: no run {body.policy!r}: give the id of a run, or {BASE_SCRATCH!r}")
        row = await repository.add(session, values)
        if CreateEvaluation.model_validate(row.request) != body:
            raise Conflict(f"body.key: {body.key!r} is another evaluation: choose another key")
        if row.status == RunStatus.FAILED:
            await repository.requeue(session, row.id, RunStatus.FAILED)
            await session.refresh(row)
        view = _view(row)
    await state.bus.publish(TOPIC)
    return view


async def get(state: State, evaluation_id: str) -> Evaluation:
    """One evaluation."""
    async with state.db.session() as session:
        row = await repository.find(session, evaluation_id)
    if row is None or row.kind != EVALUATION:
        raise NotFound(f"no evaluation {evaluation_id!r}")
    return _view(row)


async def record(state: State, evaluation_id: str) -> RecordedSolveRates:
    """Tell the env-server what an evaluation measured, once more."""
    evaluation = await get(state, evaluation_id)
    if evaluation.result is None:
        raise Conflict(f"evaluation {evaluation_id} is {evaluation.status}: it has no result yet")
    return await solve_rates.record(state, evaluation_id, evaluation.request, evaluation.result)


async def listing(state: State, cursor: str | None, limit: int) -> Page[Evaluation]:
    """A page of evaluations."""
    async with state.db.session() as session:
        rows = await repository.page(session, EVALUATION, cursors.after(cursor), limit + 1)
    return cursors.page([_view(row) for row in rows], limit, lambda one: one.id)


def _view(row: WorkRow) -> Evaluation:
    return Evaluation(
        id=row.id, key=row.key.removeprefix(f"{EVALUATION}:"), request=CreateEvaluation.model_validate(row.request),
        status=RunStatus(row.status), result=EvaluationResult.model_validate(row.result) if row.result else None,
        detail=row.detail, created_at=row.created_at, finished_at=row.finished_at,
    )  # fmt: skip
