"""The state machine of jobs: whatever workers do, and whenever they vanish, a job is worked on by one and ends once."""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from astra_proto.errors import Conflict
from astra_proto.jobs import CreateJob, CreateJobs, JobStatus
from astra_service.database import Database
from astra_synth_worker.jobs import claims, repository, service
from astra_synth_worker.jobs.claims import Claim
from astra_synth_worker.models import Model
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")

LEASE = timedelta(seconds=10)
KEYS = st.sampled_from(["a", "b", "c", "d"])


class Jobs(RuleBasedStateMachine):
    """Jobs in a real database beside a model of what they should be. Claims are kept after they end: they go stale."""

    held = Bundle("held")
    kind = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack = asyncio.Runner(), AsyncExitStack()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.names = 0
        self.owner: dict[str, tuple[Claim, datetime] | None] = {}
        self.model: dict[str, dict[str, Any]] = {}
        self.db = self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    async def _open(self) -> Database:
        if self.kind == "sqlite":
            folder = self.stack.enter_context(tempfile.TemporaryDirectory())
            db = Database(f"sqlite+aiosqlite:///{folder}/db.sqlite")
        else:
            db = Database(os.environ["SYNTH_CLAIMS_URL"])
            async with db.engine.begin() as connection:
                await connection.run_sync(Model.metadata.drop_all)
        async with db.engine.begin() as connection:
            await connection.run_sync(Model.metadata.create_all)
        return db

    def teardown(self) -> None:
        self.run(self.db.close())
        self.run(self.stack.aclose())
        self.runner.close()

    @rule(key=KEYS, tries=st.integers(1, 3))
    def enqueue(self, key: str, tries: int) -> None:
        async def add() -> str:
            async with self.db.session() as session:
                payload = {"kind": "trajectory", "server_id": "s", "chain": ["t"]}
                job = CreateJob.model_validate({"key": key, "payload": payload, "max_attempts": tries})
                return (await service.enqueue(session, CreateJobs(jobs=[job]), self.now)).items[0].id

        job_id = self.run(add())
        fresh = {"status": JobStatus.QUEUED, "attempt": 0, "max": tries, "run_after": self.now, "endings": 0}
        self.model.setdefault(job_id, fresh)

    @rule(seconds=st.sampled_from([1, 4, 11, 60]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=held)
    def claim(self) -> Claim | None:
        async def take() -> Claim | None:
            async with self.db.session() as session:
                await claims.bury(session, self.now)
                return await claims.claim(session, f"w{self.names}", self.now, LEASE)

        self.names += 1
        for job_id, job in self.model.items():
            lost = job["status"] is JobStatus.RUNNING and self.owner[job_id][1] < self.now  # type: ignore[index]
            if lost and job["attempt"] >= job["max"]:
                job.update(status=JobStatus.DEAD, endings=job["endings"] + 1)
        free = {
            job_id
            for job_id, job in self.model.items()
            if (job["status"] is JobStatus.QUEUED and job["run_after"] <= self.now)
            or (job["status"] is JobStatus.RUNNING and self.owner[job_id][1] < self.now)  # type: ignore[index]
        }
        taken = self.run(take())
        assert (taken.job_id if taken else None) in (free or {None})
        if taken is not None:
            job = self.model[taken.job_id]
            job.update(status=JobStatus.RUNNING, attempt=job["attempt"] + 1)
            assert taken.attempt == job["attempt"] <= job["max"]
            self.owner[taken.job_id] = (taken, self.now + LEASE)
        return taken

    def _is_mine(self, one: Claim) -> bool:
        owner = self.owner.get(one.job_id)
        return owner is not None and owner[0] == one and self.model[one.job_id]["status"] is JobStatus.RUNNING

    def _do(self, one: Claim, coroutine: Coroutine[Any, Any, bool]) -> bool:
        mine = self._is_mine(one)
        assert self.run(coroutine) is mine, "who holds the lease may act, and nobody else"
        return mine

    async def _with(self, function: Any, *arguments: Any) -> bool:
        async with self.db.session() as session:
            return bool(await function(session, *arguments))

    @precondition(lambda self: self.model)
    @rule(one=held)
    def renew(self, one: Claim | None) -> None:
        if one and self._do(one, self._with(claims.renew, one, self.now + LEASE)):
            self.owner[one.job_id] = (one, self.now + LEASE)

    @rule(one=held, status=st.sampled_from([JobStatus.DONE, JobStatus.FAILED]))
    def finish(self, one: Claim | None, status: JobStatus) -> None:
        if one and self._do(one, self._with(claims.finish, one, self.now, status, {}, None)):
            job = self.model[one.job_id]
            job.update(status=status, endings=job["endings"] + 1)

    @rule(one=held, pause=st.sampled_from([0, 5, 30]))
    def retry(self, one: Claim | None, pause: int) -> None:
        later = self.now + timedelta(seconds=pause)
        if one and self._do(one, self._with(claims.retry, one, self.now, later, {"reason": "x"})):
            job = self.model[one.job_id]
            last = job["attempt"] >= job["max"]
            status = JobStatus.DEAD if last else JobStatus.QUEUED
            job.update(status=status, run_after=later, endings=job["endings"] + last)

    @rule(one=consumes(held))
    def release(self, one: Claim | None) -> None:
        if one and self._do(one, self._with(claims.release, one, self.now)):
            job = self.model[one.job_id]
            job.update(status=JobStatus.QUEUED, run_after=self.now, attempt=job["attempt"] - 1)

    @invariant()
    def the_database_is_as_expected(self) -> None:
        async def stored() -> dict[str, tuple[JobStatus, int]]:
            async with self.db.session() as session:
                rows = await repository.page(session, None, None, 0, 100)
                return {job.id: (job.status, job.attempt) for _, job in rows}

        assert self.run(stored()) == {i: (job["status"], job["attempt"]) for i, job in self.model.items()}
        assert all(job["endings"] <= 1 for job in self.model.values())


QUICK = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))

TestOnSQLite = Jobs.TestCase
TestOnSQLite.settings = QUICK


class JobsOnPostgres(Jobs):
    kind = "postgres"


@pytest.mark.skipif("not os.environ.get('ASTRA_TEST_DATABASE_URL')", reason="no ASTRA_TEST_DATABASE_URL")
class TestOnPostgres(JobsOnPostgres.TestCase):  # type: ignore[misc]
    settings = settings(QUICK, max_examples=10)

    @pytest.fixture(autouse=True)
    def _own_database(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        async def say(url: str, statement: str) -> None:
            from sqlalchemy import text

            engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                await connection.execute(text(statement))
            await engine.dispose()

        base = os.environ["ASTRA_TEST_DATABASE_URL"]
        asyncio.run(say(base, "DROP DATABASE IF EXISTS synth_claims WITH (FORCE)"))
        asyncio.run(say(base, "CREATE DATABASE synth_claims"))
        monkeypatch.setenv("SYNTH_CLAIMS_URL", f"{base.rpartition('/')[0]}/synth_claims")
        yield
        asyncio.run(say(base, "DROP DATABASE synth_claims WITH (FORCE)"))


@pytest.mark.anyio
async def test_a_race_for_jobs_gives_each_to_one(db: Database, enqueue: Any) -> None:
    await enqueue(*(f"k{n}" for n in range(12)))
    now = datetime.now(UTC) + timedelta(seconds=1)

    async def take(number: int) -> Claim | None:
        async with db.session() as session:
            return await claims.claim(session, f"w{number}", now, LEASE)

    taken = [claim.job_id for claim in await asyncio.gather(*(take(n) for n in range(20))) if claim]
    assert len(taken) == len(set(taken))
    assert len(taken) <= 12
    while (more := await take(99)) is not None:  # SKIP LOCKED may leave some to a later look, but not for ever
        taken.append(more.job_id)
    assert len(set(taken)) == len(taken) == 12


@pytest.mark.anyio
async def test_the_same_key_is_the_same_job(db: Database, enqueue: Any) -> None:
    first, again = (await enqueue("a", "b"))[0], (await enqueue("b", "a"))[1]
    assert first == again
    other = {"kind": "trajectory", "server_id": "elsewhere", "chain": ["t"]}
    jobs = [
        CreateJob.model_validate({"key": "new", "payload": other}),
        CreateJob.model_validate({"key": "a", "payload": other}),
    ]
    with pytest.raises(Conflict, match="'a'"):
        async with db.session() as session:
            await service.enqueue(session, CreateJobs(jobs=jobs), datetime.now(UTC))
    twice = [jobs[0], CreateJob.model_validate({"key": "new", "payload": {**other, "seed": 2}})]
    with pytest.raises(Conflict, match="twice"):
        async with db.session() as session:
            await service.enqueue(session, CreateJobs(jobs=twice), datetime.now(UTC))
    async with db.session() as session:
        assert [job.key for _, job in await repository.page(session, None, None, 0, 10)] == ["a", "b"]


@pytest.mark.anyio
async def test_enqueueing_at_once_makes_one_job(db: Database, enqueue: Any) -> None:
    jobs = await asyncio.gather(*(enqueue("same", "also") for _ in range(8)))
    assert len({job.id for found in jobs for job in found}) == 2


def test_the_migration_makes_what_the_models_say(tmp_path: Path) -> None:
    async def compare() -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        db = Database(f"sqlite+aiosqlite:///{tmp_path}/db.sqlite")
        await db.migrate("astra_synth_worker", Model.metadata)
        await db.migrate("astra_synth_worker", Model.metadata)
        async with db.engine.connect() as connection:
            found = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), Model.metadata))
        await db.close()
        assert [change for change in found if "astra_synth_worker_version" not in str(change)] == []

    asyncio.run(compare())
