"""Two worker processes, one killed in the middle of its work: the other finishes, and nothing is there twice."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from astra_proto.jobs import Job, JobCounts, JobStatus
from astra_proto.pages import Page
from astra_proto.trajectories import Trajectory
from astra_service.bus import RedisBus
from astra_service.database import Database
from astra_synth_worker.jobs import repository

CHAINS = (
    ("payments", ["create_customer", "create_charge", "refund_charge"]),
    ("crm", ["create_record", "archive_record", "restore_record"]),
    ("sqlite", ["create_table", "write_query", "read_query"]),
)
COUNT = 6


def wanted() -> dict[str, Any]:
    payloads = [
        {"kind": "trajectory", "server_id": CHAINS[n % 3][0], "chain": CHAINS[n % 3][1], "seed": n}
        for n in range(COUNT)
    ]
    return {"jobs": [{"key": f"k{n}", "payload": payload} for n, payload in enumerate(payloads)]}


def counted(client: httpx2.Client) -> dict[JobStatus, int]:
    return JobCounts.model_validate(client.get("/jobs/counts").json()).by_kind["trajectory"]


def wait_until(client: httpx2.Client, holds: Callable[[dict[JobStatus, int]], bool]) -> None:
    while not holds(counted(client)):
        time.sleep(0.1)


def in_hand(client: httpx2.Client) -> float:
    """How many jobs the process works on."""
    found = re.search(r"^astra_synth_jobs_running (\S+)$", client.get("/metrics").text, re.M)
    assert found
    return float(found[1])


@pytest.mark.anyio
async def test_a_killed_worker_costs_a_lease_and_nothing_else(
    start: Callable[..., Any], registry_url: str, database_url: str
) -> None:
    shared = {"database_url": database_url, "tool_registry_url": registry_url, "lease_s": 2, "poll_s": 0.2}
    redis_url = os.environ.get("ASTRA_TEST_REDIS_URL")
    if redis_url:
        shared["redis_url"] = redis_url
    victim = start("synth-worker", **shared, concurrency=2)
    other = start("synth-worker", **shared, concurrency=1)
    with (
        httpx2.Client(base_url=victim.url, timeout=60, trust_env=False) as doomed,
        httpx2.Client(base_url=other.url, timeout=60, trust_env=False) as client,
    ):
        assert client.post("/jobs", json=wanted()).status_code == 202
        wait_until(client, lambda found: found[JobStatus.DONE] >= 1 and in_hand(doomed) >= 1)
        os.kill(victim.process.pid, signal.SIGKILL)
        victim.process.wait()
        if redis_url:  # what Redis holds may vanish with it
            bus = RedisBus(redis_url)
            await bus._redis.flushall()
            await bus.close()
        assert client.post("/jobs", json=wanted()).status_code == 202
        wait_until(client, lambda found: not found[JobStatus.QUEUED] + found[JobStatus.RUNNING])
        jobs = Page[Job].model_validate(client.get("/jobs?limit=500").json()).items
        made = Page[Trajectory].model_validate(client.get("/trajectories?limit=500").json()).items
    assert [job.status for job in jobs] == [JobStatus.DONE] * COUNT
    assert max(job.attempt for job in jobs) == 2, "it was killed in the middle of a job"
    assert sorted(t.id for t in made) == sorted(str(job.outcome["trajectory_id"]) for job in jobs)

    other.process.send_signal(signal.SIGTERM)
    assert other.process.wait(30) in (0, -signal.SIGTERM)
    assert b"Traceback" not in other.log.read_bytes()


@pytest.mark.anyio
async def test_sigterm_gives_back_what_is_in_hand(start: Callable[..., Any], registry_url: str, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/db.sqlite"
    worker = start("synth-worker", database_url=url, tool_registry_url=registry_url, concurrency=2, stop_grace_s=0)
    with httpx2.Client(base_url=worker.url, timeout=60, trust_env=False) as client:
        client.post("/jobs", json=wanted())
        wait_until(client, lambda found: found[JobStatus.RUNNING] == 2)
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(30)
    db = Database(url)
    async with db.session() as session:
        jobs = [job for _, job in await repository.page(session, None, None, 0, 100)]
    await db.close()
    assert {job.status for job in jobs} <= {JobStatus.QUEUED, JobStatus.DONE}
    assert all(job.attempt == (job.status is JobStatus.DONE) for job in jobs)
