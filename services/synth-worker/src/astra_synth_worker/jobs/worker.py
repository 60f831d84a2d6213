"""The loop that turns queued jobs into ended ones."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from astra_proto.jobs import JobPayload, JobStatus
from astra_service.bus import Bus
from astra_service.client import ApiClient
from astra_service.database import Database
from astra_service.tasks import end
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from astra_synth_worker.jobs import claims
from astra_synth_worker.jobs.claims import Claim
from astra_synth_worker.jobs.context import Context, Pipeline
from astra_synth_worker.jobs.endings import Ending, ended
from astra_synth_worker.jobs.stages import StoredStages
from astra_synth_worker.llm.base import LLM, Usage
from astra_synth_worker.metrics import Metrics
from astra_synth_worker.settings import Settings
from astra_synth_worker.trajectories.repository import store

log = structlog.get_logger()

TOPIC = "synth.jobs"
"""Wake-ups: there is a job to claim."""

_PAYLOAD: TypeAdapter[Any] = TypeAdapter(JobPayload)


class LeaseLost(Exception):
    """Another worker may have the job by now: drop it and change nothing."""


class Worker:
    """Claims jobs and works on ``settings.concurrency`` of them at once until it is stopped."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        bus: Bus,
        llm: LLM,
        registry: ApiClient,
        env_server: ApiClient,
        pipelines: Mapping[str, Pipeline],
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._settings, self._db, self._bus, self._llm = settings, db, bus, llm
        self._registry, self._env_server = registry, env_server
        self._pipelines, self._metrics, self._now = pipelines, metrics, now
        self._lease = timedelta(seconds=settings.lease_s)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until :meth:`stop`, then give running jobs ``stop_grace_s`` to end and put the rest back."""
        slots = [asyncio.create_task(self._slot()) for _ in range(self._settings.concurrency)]
        try:
            await self._stopping.wait()
            await asyncio.wait(slots, timeout=self._settings.stop_grace_s)
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)

    def stop(self) -> None:
        """Claim nothing more, and let :meth:`run` come to its end."""
        self._stopping.set()

    async def _slot(self) -> None:
        while not self._stopping.is_set():
            try:
                claimed = await self._claim()
            except Exception as error:  # the database is away: it is asked again after a pause
                log.warning("job.claim_failed", error=f"{type(error).__name__}: {error}"[:300])
                claimed = None
            if claimed is not None:
                await self._hold(claimed)
            else:
                await self._idle()

    async def _claim(self) -> Claim | None:
        async with self._db.session() as session:
            await claims.bury(session, self._now())
            return await claims.claim(session, f"w_{uuid.uuid4().hex}", self._now(), self._lease)

    async def _idle(self) -> None:
        waits = [
            asyncio.create_task(self._bus.wait(TOPIC, self._settings.poll_s)),
            asyncio.create_task(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*waits)

    async def _hold(self, held: Claim) -> None:
        """Work on the job with its lease renewed beside it, and write down how it ended."""
        with structlog.contextvars.bound_contextvars(job_id=held.job_id, attempt=held.attempt):
            log.info("job.claimed", kind=held.kind)
            self._metrics.claimed.labels(held.kind).inc()
            began = time.perf_counter()
            with self._metrics.running.track_inprogress():
                try:
                    await self._work_with_lease(held)
                except asyncio.CancelledError:
                    await asyncio.shield(self._give_back(held))
                    raise
            self._metrics.seconds.labels(held.kind).observe(time.perf_counter() - began)

    async def _work_with_lease(self, held: Claim) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(held))
                ending, stages = await self._work(held)
                await end(keeper)
            await self._end(held, ending, stages)
        except* LeaseLost:
            log.warning("job.lease_lost")
            self._metrics.ended.labels(held.kind, "lost", "lease_lost").inc()
        except* (SQLAlchemyError, OSError) as group:  # the database is away; when the lease runs out, another goes on
            log.warning("job.ending_not_written", error=str(group.exceptions[0])[:300])
            self._metrics.ended.labels(held.kind, "lost", "database").inc()

    async def _keep(self, held: Claim) -> None:
        """Renew the lease at a third of its length. A database that is away is asked again while the lease lasts."""
        until = self._now() + self._lease
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            wanted = self._now() + self._lease
            try:
                async with self._db.session() as session:
                    if not await claims.renew(session, held, wanted):
                        raise LeaseLost
                until = wanted
            except LeaseLost:
                raise
            except Exception as error:
                log.warning("job.renewal_failed", error=f"{type(error).__name__}: {error}"[:300])
                if self._now() >= until:
                    raise LeaseLost from error

    async def _work(self, held: Claim) -> tuple[Ending, StoredStages]:
        usage = Usage(max_calls=self._settings.llm_calls_per_job)
        # What the offline teacher answers is cheaper to ask for again than to commit stage by stage.
        cheap = self._settings.llm == "offline" and held.kind == "arena"
        model = self._llm.name
        stages = StoredStages(self._db, held.job_id, model, usage, self._metrics, self._now, at_end=cheap)
        context = Context(
            job_id=held.job_id,
            llm=self._llm,
            usage=usage,
            registry=self._registry,
            env_server=self._env_server,
            settings=self._settings,
            stage=stages,
        )
        try:
            payload = _PAYLOAD.validate_python(held.payload)
        except ValidationError as error:
            return Ending(JobStatus.FAILED, "unreadable_payload", str(error)[:2_000]), stages
        try:
            async with asyncio.timeout(self._settings.job_timeout_s):
                outcome = await self._pipelines[held.kind](payload, context)
            ending = Ending(JobStatus.DONE, None, "", dict(outcome.result), outcome.trajectory)
        except Exception as error:
            ending = ended(error)
        for counter, amount in (
            (self._metrics.llm_calls, usage.calls),
            (self._metrics.llm_tokens, usage.prompt_tokens + usage.completion_tokens),
            (self._metrics.llm_malformed, usage.malformed),
            (self._metrics.llm_repaired, usage.repaired),
        ):
            counter.labels(held.kind).inc(amount)
        spent = {k: v for k, v in asdict(usage).items() if k not in ("prompts", "max_calls")}
        ending.result["usage"] = spent
        return ending, stages

    async def _end(self, held: Claim, ending: Ending, stages: StoredStages) -> None:
        """Write the ending and what was made in one transaction."""
        now = self._now()
        async with self._db.session() as session:
            if ending.trajectory is not None and not await store(session, ending.trajectory, held.job_id, now):
                ending = ending.as_duplicate()
            if ending.status is None:
                pause = min(300.0, self._settings.backoff_s * 2 ** (held.attempt - 1))
                kept = await claims.retry(session, held, now, now + timedelta(seconds=pause), ending.outcome())
            else:
                kept = await claims.finish(session, held, now, ending.status, ending.outcome(), ending.reason)
            if not kept:
                raise LeaseLost  # rolls back what was stored above
            await stages.write(session)
        status = ending.status or ("dead" if held.attempt >= held.max_attempts else "retry")
        log.info("job.ended", status=str(status), reason=ending.reason, detail=ending.detail[:500])
        self._metrics.ended.labels(held.kind, str(status), ending.reason or "").inc()

    async def _give_back(self, held: Claim) -> None:
        try:
            async with self._db.session() as session:
                await claims.release(session, held, self._now())
            log.info("job.given_back")
        except Exception as error:  # the lease runs out by itself
            log.warning("job.give_back_failed", error=f"{type(error).__name__}: {error}"[:300])
