"""What can be done with training runs."""

from astra_proto.errors import Conflict, NotFound
from astra_proto.ids import content_id
from astra_proto.pages import Page
from astra_proto.runs import CreateRun, MetricPoint, RLConfig, Run, RunConfig, RunStatus
from astra_service import cursors
from pydantic import TypeAdapter

from astra_trainer.models import WorkRow
from astra_trainer.state import State
from astra_trainer.work import repository
from astra_trainer.work.folder import SCRATCH, folder_of, read_metrics
from astra_trainer.work.supervisor import TOPIC, Supervisor

KIND = "run"
_CONFIG: TypeAdapter[RunConfig] = TypeAdapter(RunConfig)
AGAIN = (RunStatus.FAILED, RunStatus.STOPPED)


async def create(state: State, body: CreateRun) -> Run:
    """Queue a run, or return the one of this key; one that failed or was stopped is taken up again."""
    request = body.config.model_dump(mode="json")
    row_id = content_id("run", [KIND, body.key])
    values = {
        "id": row_id, "kind": KIND, "key": f"{KIND}:{body.key}", "request": request, "status": RunStatus.QUEUED,
        "step": 0, "total_steps": body.config.max_steps, "detail": "", "result": None, "created_at": state.now(),
        "finished_at": None,
    }  # fmt: skip
    async with state.db.session() as session:
        if body.config.base != SCRATCH:
            base = await repository.find(session, body.config.base)
            if base is None or base.kind != KIND:
                scratch = "" if isinstance(body.config, RLConfig) else f" or {SCRATCH!r}"
                raise NotFound(f"body.config.base: no run {body.config.base!r}: give the id of a run{scratch}")
        elif isinstance(body.config, RLConfig):
            raise NotFound("body.config.base: reinforcement starts from a run: do SFT first and give its id")
        row = await repository.add(session, values)
        if row.request != request:
            raise Conflict(f"body.key: {body.key!r} is a run with another configuration: choose another key")
        if row.status in AGAIN:
            await repository.requeue(session, row.id, *AGAIN)
            await session.refresh(row)
        run = _view(row)
    await state.bus.publish(TOPIC)
    return run


async def get(state: State, run_id: str) -> Run:
    """One run."""
    async with state.db.session() as session:
        return _view(_of_kind(await repository.find(session, run_id), run_id))


async def listing(state: State, cursor: str | None, limit: int) -> Page[Run]:
    """A page of runs."""
    async with state.db.session() as session:
        rows = await repository.page(session, KIND, cursors.after(cursor), limit + 1)
    return cursors.page([_view(row) for row in rows], limit, lambda run: run.id)


async def metrics(state: State, run_id: str, cursor: str | None, limit: int) -> Page[MetricPoint]:
    """A page of what a run logged."""
    await get(state, run_id)
    line = 0 if cursor is None else max(0, int(cursors.decode(cursor, int)[0]))
    points, following = read_metrics(folder_of(state, run_id), line, limit)
    return Page(items=points, next_cursor=None if following is None else cursors.encode(following))


async def stop(state: State, supervisor: Supervisor, run_id: str) -> Run:
    """Stop a run; its last checkpoint stays, and the same key takes it up again."""
    run = await get(state, run_id)
    if run.status in (RunStatus.QUEUED, RunStatus.RUNNING):
        await supervisor.stop(run_id)
    return await get(state, run_id)


def _of_kind(row: WorkRow | None, run_id: str) -> WorkRow:
    if row is None or row.kind != KIND:
        raise NotFound(f"no run {run_id!r}")
    return row


def _view(row: WorkRow) -> Run:
    return Run(
        id=row.id, key=row.key.removeprefix(f"{KIND}:"), config=_CONFIG.validate_python(row.request),
        status=RunStatus(row.status), step=row.step, total_steps=row.total_steps, detail=row.detail,
        created_at=row.created_at, finished_at=row.finished_at,
    )  # fmt: skip
