"""The worker: endings, retries, leases, stored stages, stopping."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from astra_proto.errors import Unavailable
from astra_proto.jobs import Job, JobStatus
from astra_proto.messages import UserMessage
from astra_proto.trajectories import Task, Trajectory
from astra_service.database import Database
from astra_synth_worker.jobs import claims, repository, service
from astra_synth_worker.jobs.context import Context, Outcome, Refused
from astra_synth_worker.jobs.worker import Worker
from astra_synth_worker.llm import render
from astra_synth_worker.llm.ask import MalformedReply, complete
from astra_synth_worker.llm.base import Completion, LLMFailed, Prompt, Usage
from astra_synth_worker.models import JobRow, StageRow
from astra_synth_worker.trajectories import repository as trajectories
from astra_synth_worker.trajectories.filter import UNSCORED
from sqlalchemy import select, update

pytestmark = pytest.mark.anyio

OVER = {JobStatus.DONE, JobStatus.FAILED, JobStatus.DEAD}


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


async def jobs(db: Database) -> dict[str, Job]:
    async with db.session() as session:
        return {job.key: job for _, job in await repository.page(session, None, None, 0, 1_000)}


async def until_over(db: Database) -> dict[str, Job]:
    return await until(db, lambda found: all(job.status in OVER for job in found.values()))


async def until(db: Database, holds: Callable[[dict[str, Job]], bool]) -> dict[str, Job]:
    while True:
        if holds(found := await jobs(db)):
            return found
        await asyncio.sleep(0.02)


def trajectory(name: str) -> Trajectory:
    return Trajectory(
        id="tr_" + name * 32, task=Task(server_id="s", question=name, chain=[]), tools=[],
        messages=[UserMessage(content=name)], score=UNSCORED, kept=False, reason="unscored", teacher="t",
    )  # fmt: skip


async def test_jobs_end_once_each(db: Database, make_worker: Any, enqueue: Any) -> None:
    seen: list[str] = []

    async def pipeline(job: Any, context: Context) -> Outcome:
        seen.append(context.job_id)
        await asyncio.sleep(0.001)
        return Outcome({"trajectory_id": context.job_id})

    await enqueue(*(f"k{n}" for n in range(25)))
    async with working(*(make_worker(db, {"trajectory": pipeline}) for _ in range(3))):
        found = await until_over(db)
    assert len(seen) == len(set(seen)) == 25
    assert {job.status for job in found.values()} == {JobStatus.DONE}
    assert all(job.outcome["trajectory_id"] == job.id and job.finished_at for job in found.values())


@pytest.mark.parametrize(
    ("error", "status", "reason", "attempts"),
    [
        (Refused("low_score", "0.2"), JobStatus.FAILED, "low_score", 1),
        (ExceptionGroup("", [ValueError(), Refused("inner")]), JobStatus.FAILED, "inner", 1),
        (MalformedReply("x"), JobStatus.FAILED, "malformed_reply", 1),
        (LLMFailed("x"), JobStatus.DEAD, "llm_failed", 2),
        (Unavailable("x"), JobStatus.DEAD, "unavailable", 2),
        (TimeoutError(), JobStatus.DEAD, "timeout", 2),
        (RuntimeError("a\0b\ud800"), JobStatus.DEAD, "error", 2),
    ],
)
async def test_what_is_final_and_what_is_tried_again(
    db: Database, make_worker: Any, enqueue: Any, error: Exception, status: JobStatus, reason: str, attempts: int
) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        raise error

    await enqueue("a", max_attempts=2)
    async with working(make_worker(db, {"trajectory": pipeline})):
        job = (await until_over(db))["a"]
    assert (job.status, job.outcome["reason"], job.attempt) == (status, reason, attempts)
    async with db.session() as session:
        counts = await service.counts(session)
    assert counts.reasons == {"trajectory": {reason: 1}}
    assert counts.by_kind["trajectory"][status] == 1


async def test_a_job_waits_before_it_is_tried_again(db: Database, make_worker: Any, enqueue: Any) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        raise Unavailable

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": pipeline}, backoff_s=1_000)):
        await until(db, lambda found: found["a"].attempt == 1 and found["a"].status is JobStatus.QUEUED)
    async with db.session() as session:
        row = (await session.scalars(select(JobRow))).one()
    assert row.run_after - datetime.now(UTC) > timedelta(seconds=200)
    assert row.outcome["reason"] == row.reason == "unavailable"


async def test_time_runs_out_for_an_attempt(db: Database, make_worker: Any, enqueue: Any) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        await asyncio.sleep(3_600)
        raise AssertionError

    await enqueue("a", max_attempts=1)
    async with working(make_worker(db, {"trajectory": pipeline}, job_timeout_s=0.05)):
        assert (await until_over(db))["a"].outcome["reason"] == "timeout"


async def test_stages_are_run_once_and_what_they_spent_is_remembered(
    db: Database, make_worker: Any, enqueue: Any, script: Any
) -> None:
    ran: list[str] = []
    attempts = 0

    async def pipeline(job: Any, context: Context) -> Outcome:
        nonlocal attempts
        attempts += 1

        async def stage(name: str) -> str:
            ran.append(name)
            variables = {"server": {"id": "s", "title": "", "description": ""}}
            await complete(context.llm, Prompt("agent_turn", variables), context.usage)
            return f"out of {name}"

        first = await context.stage("first", {"seed": job.seed}, lambda: stage("first"), str)
        if attempts == 1:
            raise Unavailable
        assert first == "out of first"
        await context.stage("second", first, lambda: stage("second"), str)
        return Outcome({})

    await enqueue("a")
    llm = script(lambda prompt: Completion("x", prompt_tokens=10, completion_tokens=1))
    async with working(make_worker(db, {"trajectory": pipeline}, llm=llm)):
        job = (await until_over(db))["a"]
    assert ran == ["first", "second"]
    assert job.outcome["usage"] == {
        "calls": 2, "prompt_tokens": 20, "completion_tokens": 2, "malformed": 0, "repaired": 0
    }  # fmt: skip


async def test_a_changed_prompt_invalidates_what_is_behind_it(
    db: Database, enqueue: Any, stages: Any, script: Any
) -> None:
    (job,) = await enqueue("a")
    llm = script(lambda prompt: Completion("x"))
    ran: list[str] = []

    async def run() -> None:
        usage = Usage()
        stage = stages(job.id, usage)

        async def ask(name: str, template: str) -> str:
            ran.append(name)
            await complete(llm, Prompt(template, {}), usage)
            return f"{name}, run {len(ran)}"

        first = await stage("first", 1, lambda: ask("first", "task_for_chain"), str)
        second = await stage("second", first, lambda: ask("second", "agent_turn"), str)
        await stage("third", second, lambda: ask("third", "task_for_chain"), str)

    await run()
    await run()
    assert ran == ["first", "second", "third"]
    async with db.session() as session:  # as an older template would have left it
        older = update(StageRow).where(StageRow.name == "second").values(prompts={"agent_turn": "0" * 16})
        await session.execute(older)
    await run()
    assert ran[3:] == ["second", "third"]
    await run()
    assert len(ran) == 5


async def test_stages_side_by_side_keep_their_own_accounts(
    enqueue: Any, db: Database, stages: Any, script: Any
) -> None:
    (job,) = await enqueue("a")
    usage, llm = Usage(), script(lambda prompt: Completion("x", prompt_tokens=1))
    stage = stages(job.id, usage)

    async def ask(template: str, times: int) -> str:
        for _ in range(times):
            await asyncio.sleep(0)
            await complete(llm, Prompt(template, {}), usage)
        return template

    await asyncio.gather(
        stage("a", 1, lambda: ask("task_for_chain", 3), str), stage("b", 1, lambda: ask("agent_turn", 2), str)
    )
    async with db.session() as session:
        rows = {row.name: row for row in await session.scalars(select(StageRow))}
    assert (rows["a"].usage["calls"], rows["b"].usage["calls"], usage.calls) == (3, 2, 5)
    assert (set(rows["a"].prompts), set(rows["b"].prompts)) == ({"task_for_chain"}, {"agent_turn"})


async def test_a_stage_of_an_attempt_that_was_first_holds(enqueue: Any, stages: Any, db: Database) -> None:
    (job,) = await enqueue("a")

    async def late() -> str:
        async def first() -> str:
            return "first"

        await stages(job.id, Usage())("s", {"a": "\0"}, first, str)
        return "second"

    assert await stages(job.id, Usage())("s", {"a": "\0"}, late, str) == "first"


async def test_another_model_or_type_runs_the_stage_anew(enqueue: Any, stages: Any, db: Database) -> None:
    (job,) = await enqueue("a")

    async def give(value: Any) -> Any:
        return value

    assert await stages(job.id, Usage(), "m")("s", 1, lambda: give("x"), str) == "x"
    assert await stages(job.id, Usage(), "n")("s", 1, lambda: give("y"), str) == "y"
    assert await stages(job.id, Usage(), "m")("s", 1, lambda: give(7), int) == 7
    assert await stages(job.id, Usage(), "m")("s", 1, lambda: give(8), int) == 7


async def test_who_lost_the_lease_changes_nothing(db: Database, make_worker: Any, enqueue: Any) -> None:
    gone = asyncio.Event()

    async def pipeline(job: Any, context: Context) -> Outcome:
        if not gone.is_set():
            async with db.session() as session:  # another worker takes it over meanwhile
                await session.execute(update(JobRow).values(worker="another"))
            gone.set()
            return Outcome({"trajectory_id": "mine"}, trajectory("a"))
        raise AssertionError("it is not mine to try again")

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": pipeline})):
        await gone.wait()
        await asyncio.sleep(0.1)
    job = (await jobs(db))["a"]
    assert (job.status, job.outcome) == (JobStatus.RUNNING, {})
    async with db.session() as session:
        assert await trajectories.page(session, None, 0, 10) == []


async def test_a_lost_lease_ends_the_work(db: Database, make_worker: Any, enqueue: Any) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def pipeline(job: Any, context: Context) -> Outcome:
        started.set()
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": pipeline}, lease_s=1)):
        await started.wait()
        async with db.session() as session:
            await session.execute(update(JobRow).values(worker="another", lease_until=datetime(2030, 1, 1, tzinfo=UTC)))
        await cancelled.wait()


async def test_a_lease_is_renewed_while_the_work_goes_on(db: Database, make_worker: Any, enqueue: Any) -> None:
    runs = 0

    async def pipeline(job: Any, context: Context) -> Outcome:
        nonlocal runs
        runs += 1
        await asyncio.sleep(4.5)
        return Outcome({})

    await enqueue("a")
    async with working(*(make_worker(db, {"trajectory": pipeline}, lease_s=3) for _ in range(2))):
        job = (await until_over(db))["a"]
    assert (runs, job.attempt) == (1, 1)


async def test_stopping_gives_unfinished_jobs_back(db: Database, make_worker: Any, enqueue: Any) -> None:
    started = asyncio.Event()

    async def endless(job: Any, context: Context) -> Outcome:
        started.set()
        await asyncio.sleep(3_600)
        raise AssertionError

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": endless}, stop_grace_s=0.05)):
        await started.wait()
    job = (await jobs(db))["a"]
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 0)
    async with db.session() as session:
        taken = await claims.claim(session, "next", datetime.now(UTC), timedelta(seconds=5))
    assert taken is not None


async def test_stopping_lets_short_work_end(db: Database, make_worker: Any, enqueue: Any) -> None:
    started = asyncio.Event()

    async def short(job: Any, context: Context) -> Outcome:
        started.set()
        await asyncio.sleep(0.1)
        return Outcome({})

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": short})):
        await started.wait()
    assert (await jobs(db))["a"].status is JobStatus.DONE


async def test_a_job_that_outlives_its_workers_dies(db: Database, make_worker: Any, enqueue: Any) -> None:
    await enqueue("a", max_attempts=1)
    async with db.session() as session:
        past = datetime(2020, 1, 1, tzinfo=UTC)
        await session.execute(update(JobRow).values(run_after=past))
        assert await claims.claim(session, "gone", past, timedelta(seconds=1))
    async with working(make_worker(db, {})):
        job = (await until_over(db))["a"]
    assert (job.status, job.outcome["reason"]) == (JobStatus.DEAD, "worker_lost")


async def test_the_same_trajectory_from_two_jobs_is_a_duplicate(db: Database, make_worker: Any, enqueue: Any) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        return Outcome({"trajectory_id": trajectory("a").id}, trajectory("a"))

    await enqueue("a", "b")
    async with working(make_worker(db, {"trajectory": pipeline}, concurrency=1)):
        found = await until_over(db)
    assert sorted(job.status for job in found.values()) == [JobStatus.DONE, JobStatus.FAILED]
    assert [job.outcome.get("reason") for job in found.values()] == [None, "duplicate"]


async def test_a_refused_trajectory_can_be_looked_at(db: Database, make_worker: Any, enqueue: Any) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        raise Refused("unscored", trajectory=trajectory("b"))

    await enqueue("a")
    async with working(make_worker(db, {"trajectory": pipeline})):
        job = (await until_over(db))["a"]
    async with db.session() as session:
        assert await trajectories.find(session, str(job.outcome["trajectory_id"])) == trajectory("b")


def test_every_template_has_a_hash_that_its_includes_change() -> None:
    names = [n.removesuffix(".md.j2") for n in render._TEMPLATES.list_templates() if n.endswith(".md.j2")]
    assert len({render.template_hash(name) for name in names}) == len(names)
    with pytest.raises(LookupError, match="no_such"):
        render.template_hash("no_such")


async def test_a_wake_up_is_not_waited_for(db: Database, make_worker: Any, enqueue: Any) -> None:
    async def pipeline(job: Any, context: Context) -> Outcome:
        return Outcome({})

    worker: Worker = make_worker(db, {"trajectory": pipeline}, poll_s=0.1)
    async with working(worker):
        await asyncio.sleep(0.05)
        await enqueue("a")  # nothing is published
        assert (await until_over(db))["a"].status is JobStatus.DONE
