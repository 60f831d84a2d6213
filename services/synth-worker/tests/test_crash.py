"""Two worker processes, one killed in the middle of its work: the other finishes, and nothing is there twice."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from astra_proto.jobs import Job, JobCounts, JobStatus
from astra_proto.pages import Page
from astra_proto.trajectories import Trajectory
from astra_service.bus import RedisBus
from astra_service.client import ApiClient

CHAINS = (
    ("payments", ["create_customer", "create_charge", "refund_charge"]),
    ("crm", ["create_record", "archive_record", "restore_record"]),
    ("sqlite", ["create_table", "write_query", "read_query"]),
)
COUNT = 9


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


async def stored(url: str) -> set[str]:
    async with ApiClient(url) as client:
        page = await client.get("/trajectories", Page[Trajectory], limit=500)
        assert len({t.id for t in page.items}) == len(page.items)
        return {t.id for t in page.items}


@pytest.fixture
def redis_url() -> str | None:
    return os.environ.get("ASTRA_TEST_REDIS_URL")


@pytest.mark.anyio
async def test_a_killed_worker_costs_a_lease_and_nothing_else(
    start: Callable[..., Any], registry_url: str, database_url: str, redis_url: str | None
) -> None:
    shared = {"database_url": database_url, "tool_registry_url": registry_url, "lease_s": 2, "poll_s": 0.2}
    if redis_url:
        shared["redis_url"] = redis_url
    victim = start("synth-worker", **shared, concurrency=2)
    other = start("synth-worker", **shared, concurrency=0)
    with httpx2.Client(base_url=other.url, timeout=60, trust_env=False) as client:
        assert client.post("/jobs", json=wanted()).status_code == 202
        wait_until(client, lambda found: found[JobStatus.DONE] >= 1 and found[JobStatus.RUNNING] >= 1)
        os.kill(victim.process.pid, signal.SIGKILL)
        victim.process.wait()
        left = counted(client)
        assert left[JobStatus.RUNNING] >= 1, "it was killed in the middle of a job"
        if redis_url:  # what Redis holds may vanish with it
            bus = RedisBus(redis_url)
            await bus._redis.flushall()
            await bus.close()
        survivor = start("synth-worker", **shared, concurrency=2)
        assert client.post("/jobs", json=wanted()).status_code == 202
        wait_until(client, lambda found: not found[JobStatus.QUEUED] + found[JobStatus.RUNNING])
        jobs = Page[Job].model_validate(client.get("/jobs?limit=500").json()).items
    assert [job.status for job in jobs] == [JobStatus.DONE] * COUNT
    assert max(job.attempt for job in jobs) == 2
    assert await stored(survivor.url) == {job.outcome["trajectory_id"] for job in jobs}
    survivor.process.send_signal(signal.SIGTERM)
    assert survivor.process.wait(30) in (0, -signal.SIGTERM)
    assert b"Traceback" not in survivor.log.read_bytes()


def test_sigterm_gives_back_what_is_in_hand(start: Callable[..., Any], registry_url: str, tmp_path: Any) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/db.sqlite"
    shared = {"database_url": url, "tool_registry_url": registry_url}
    worker = start("synth-worker", **shared, concurrency=2, stop_grace_s=0)
    with httpx2.Client(base_url=worker.url, timeout=60, trust_env=False) as client:
        client.post("/jobs", json=wanted())
        wait_until(client, lambda found: found[JobStatus.RUNNING] == 2)
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(30)
    watcher = start("synth-worker", **shared, concurrency=0)
    with httpx2.Client(base_url=watcher.url, timeout=60, trust_env=False) as client:
        found = counted(client)
        jobs = Page[Job].model_validate(client.get("/jobs").json()).items
    assert found[JobStatus.RUNNING] == 0
    assert all(job.attempt == (job.status is JobStatus.DONE) for job in jobs)
