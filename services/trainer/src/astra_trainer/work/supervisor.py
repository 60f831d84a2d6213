"""Works on the queue: one engine process at a time, or as many as the settings say."""

import asyncio

import structlog
from astra_proto.errors import AstraError
from astra_proto.runs import CreateEvaluation, EvaluationResult, RunConfig, RunStatus
from astra_service.tasks import end
from pydantic import TypeAdapter, ValidationError

from astra_trainer.evaluations import solve_rates
from astra_trainer.models import WorkRow
from astra_trainer.state import State
from astra_trainer.work import repository
from astra_trainer.work.engine import EngineFailed, EngineProcess, start_engine
from astra_trainer.work.folder import prepare, read_result

log = structlog.get_logger()

TOPIC = "trainer.work"
WATCH_S = 0.5
"""Seconds between looks at how far an engine is."""
EVALUATION = "evaluation"
_CONFIG: TypeAdapter[RunConfig] = TypeAdapter(RunConfig)


class Supervisor:
    """Takes work from the queue for as long as the service is up."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._engines: dict[str, EngineProcess] = {}
        self._cancelled: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled. What is running then goes back to the queue, to be resumed at the next start."""
        async with self._state.db.session() as session:
            await repository.requeue_running(session)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._state.settings.parallel):
                group.create_task(self._work())

    async def stop(self, work_id: str) -> None:
        """Stop one piece of work, whether it is queued, about to start or running."""
        self._cancelled.add(work_id)
        async with self._state.db.session() as session:
            row = await repository.find(session, work_id)
            if row is not None and row.status == RunStatus.QUEUED:
                await repository.finish(session, work_id, RunStatus.STOPPED, self._state.now())
        if engine := self._engines.get(work_id):
            await engine.stop()

    async def _work(self) -> None:
        while True:
            async with self._state.db.session() as session:
                row = await repository.take(session)
            if row is None:
                await self._state.bus.wait(TOPIC, self._state.settings.poll_s)
                continue
            self._cancelled.discard(row.id)
            await self._one(row)

    async def _one(self, row: WorkRow) -> None:
        status, detail, result = RunStatus.DONE, "", None
        log.info("work.started", work_id=row.id, kind=row.kind)
        try:
            status, result = await self._play(row)
            if result is not None:
                await self._tell(row, result)
        except (AstraError, EngineFailed, OSError) as error:
            status, detail = RunStatus.FAILED, str(error)
        except asyncio.CancelledError:
            async with self._state.db.session() as session:
                await repository.requeue(session, row.id, RunStatus.RUNNING)
            raise
        except Exception as error:
            log.exception("work.crashed", work_id=row.id)
            status, detail = RunStatus.FAILED, f"{type(error).__name__}: {error}"
        log.info("work.finished", work_id=row.id, status=status, detail=detail[:300])
        async with self._state.db.session() as session:
            stored = result.model_dump(mode="json") if result is not None else None
            await repository.finish(session, row.id, status, self._state.now(), detail, stored)
        await self._state.bus.publish(TOPIC)

    async def _tell(self, row: WorkRow, result: EvaluationResult) -> None:
        """Have the arenas say how hard they were found. A result is one without that, too: it can be told later."""
        try:
            await solve_rates.record(self._state, row.id, CreateEvaluation.model_validate(row.request), result)
        except (AstraError, ValidationError) as error:
            log.warning("evaluation.solve_rates_not_recorded", work_id=row.id, error=str(error)[:500])

    async def _play(self, row: WorkRow) -> tuple[RunStatus, EvaluationResult | None]:
        evaluation = row.kind == EVALUATION
        work = CreateEvaluation.model_validate(row.request) if evaluation else _CONFIG.validate_python(row.request)
        folder = await prepare(self._state, row.id, work)
        engine = await start_engine(folder, self._state.settings)
        self._engines[row.id] = engine
        try:
            if row.id in self._cancelled:
                await engine.stop()
            watching = asyncio.create_task(self._watch(row.id, engine))
            try:
                done = await engine.wait()
            finally:
                await end(watching)
            if last := engine.progress():
                await self._note(row.id, last.step, last.total_steps)
            if not done:
                return RunStatus.STOPPED, None
            return RunStatus.DONE, read_result(folder) if evaluation else None
        finally:
            del self._engines[row.id]
            await asyncio.shield(engine.stop())

    async def _watch(self, work_id: str, engine: EngineProcess) -> None:
        seen = None
        while True:
            await asyncio.sleep(WATCH_S)
            now = engine.progress()
            if now is not None and now != seen:
                seen = now
                await self._note(work_id, now.step, now.total_steps)

    async def _note(self, work_id: str, step: int, total: int | None) -> None:
        async with self._state.db.session() as session:
            await repository.progress(session, work_id, step, total)
