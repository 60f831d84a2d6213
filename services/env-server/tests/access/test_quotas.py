"""How much a key may use, in one server and over two."""

import asyncio
import os
import time
from typing import Any

import pytest
import redis.asyncio as redis
from astra_env_server.access.caller import Caller
from astra_env_server.access.quotas import Quotas
from astra_proto.access import Role
from astra_proto.errors import QuotaReached

pytestmark = pytest.mark.anyio
REDIS = os.environ.get("ASTRA_TEST_REDIS_URL")
needs_redis = pytest.mark.skipif(not REDIS, reason="no ASTRA_TEST_REDIS_URL: run through scripts/with_services.py")


def holder(most: int) -> Caller:
    return Caller("a", Role.TRAINER, f"key_{os.urandom(8).hex()}", steps_per_minute=most)


async def none_open(key_id: str) -> int:
    return 0


async def taken(quotas: Quotas, caller: Caller, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            await quotas.step(caller)
            count += 1
        except QuotaReached:
            pass
    return count


async def test_envs_open_at_once(make_key: Any, as_key: Any, guarded: Any, library: Any) -> None:
    arena = await guarded.publish(library)
    agent = as_key((await make_key("agent", max_envs=2))["key"])
    replies = await asyncio.gather(*(agent.post("/envs", json={"arena_id": arena}) for _ in range(6)))
    assert sorted(r.status_code for r in replies) == [201, 201, 429, 429, 429, 429]
    refused = next(r for r in replies if r.status_code == 429)
    assert refused.json()["error"] == "QuotaReached"
    assert int(refused.headers["Retry-After"]) >= 1
    first, second = (r.json()["id"] for r in replies if r.status_code == 201)
    await agent.delete(f"/envs/{first}")
    third = await agent.post("/envs", json={"arena_id": arena})
    assert third.status_code == 201
    assert (await guarded.post("/envs", json={"arena_id": arena})).status_code == 201, "others have room"

    # One that is over makes room, and must find room again to begin anew.
    await agent.post(f"/envs/{second}/reset", json={})
    await agent.post(f"/envs/{second}/step", json={"action": {"content": "enough"}})
    fourth = await agent.post("/envs", json={"arena_id": arena})
    assert fourth.status_code == 201
    assert (await agent.post(f"/envs/{second}/reset", json={})).status_code == 429
    assert (await agent.post(f"/envs/{fourth.json()['id']}/reset", json={})).status_code == 200
    await agent.delete(f"/envs/{fourth.json()['id']}")
    assert (await agent.post(f"/envs/{second}/reset", json={})).status_code == 200


async def test_steps_a_minute_are_counted_for_each_key(make_key: Any, as_key: Any, guarded: Any, library: Any) -> None:
    arena = await guarded.publish(library)
    hurried = as_key((await make_key("agent", steps_per_minute=1))["key"])
    play = await hurried.play(arena)
    statuses = [(await play.send("POST", "/step", json={"action": {"tool_calls": [{"name": "x"}]}})) for _ in range(3)]
    refused = [reply for reply in statuses if reply.status_code == 429]
    assert len(refused) >= 1  # a minute may have ended in between
    assert refused[0].json()["error"] == "QuotaReached"
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
    easy = as_key((await make_key("agent"))["key"])
    other = await easy.play(arena)
    for _ in range(3):
        await other.call("x")


async def test_a_minute_in_one_process() -> None:
    now = [600.0]
    quotas, caller = Quotas(none_open, None, lambda: now[0]), holder(5)
    assert await taken(quotas, caller, 9) == 5
    now[0] = 645.5
    with pytest.raises(QuotaReached) as refused:
        await quotas.step(caller)
    assert refused.value.extra["retry_after_s"] in (14, 15)
    now[0] = 660.0
    assert await taken(quotas, caller, 9) == 5
    assert await taken(quotas, holder(2), 9) == 2, "each key has its own"


@needs_redis
@pytest.mark.parametrize("most", [1, 7, 50, 700])
async def test_two_servers_share_one_quota(most: int) -> None:
    caller, now = holder(most), time.time() // 60 * 60 + 1
    one, two = (Quotas(none_open, REDIS, lambda: now) for _ in range(2))
    counts = await asyncio.gather(taken(one, caller, most), taken(two, caller, most))
    assert sum(counts) <= most, "not one step too many"
    assert sum(counts) >= most - 2 * max(1, most // 50), "and hardly one too few"
    await one.close()
    await two.close()


@needs_redis
async def test_losing_redis_begins_the_minute_anew() -> None:
    caller, now = holder(3), time.time() // 60 * 60 + 1
    one, two, three = (Quotas(none_open, REDIS, lambda: now) for _ in range(3))
    assert await taken(one, caller, 5) == 3
    assert await taken(two, caller, 5) == 0
    assert REDIS
    async with redis.Redis.from_url(REDIS) as store:
        await store.flushall()
    assert await taken(three, caller, 5) == 3
    for quotas in (one, two, three):
        await quotas.close()


async def test_without_an_answer_from_redis_each_server_counts_by_itself() -> None:
    quotas, caller = Quotas(none_open, "redis://127.0.0.1:9/0", lambda: 600.0), holder(3)
    assert await taken(quotas, caller, 9) == 3
    await quotas.close()


@needs_redis
async def test_two_servers_refuse_over_http(serve: Any, empty_database: str, library: Any) -> None:
    settings = {"api_token": "r" * 20, "redis_url": REDIS}
    async with serve(empty_database, **settings) as one, serve(empty_database, **settings) as two:
        one.headers["Authorization"] = "Bearer " + "r" * 20
        arena = await one.publish(library)
        body = {"tenant": "a", "role": "trainer", "steps_per_minute": 4, "max_envs": 3}
        key = (await one.post("/keys", json=body)).json()["key"]
        for server in (one, two):
            server.headers["Authorization"] = f"Bearer {key}"
        plays = [await one.play(arena), await two.play(arena), await two.play(arena)]
        assert (await one.post("/envs", json={"arena_id": arena})).status_code == 429
        if (second := time.time() % 60) > 50:
            await asyncio.sleep(61 - second)  # all within one minute
        step = {"action": {"tool_calls": [{"name": "x"}]}}
        statuses = [(await play.send("POST", "/step", json=step)).status_code for play in plays * 3]
        assert statuses.count(200) == 4
        assert statuses.count(429) == 5
