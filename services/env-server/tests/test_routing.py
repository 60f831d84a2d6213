"""Two servers that know each other through a real Redis: requests find the one that has the env in memory."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis.asyncio as redis
import uvicorn
from astra_env_server.app import create_app
from astra_env_server.settings import Settings

from scripts import with_services

from .support import COUNTER, total

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
ENV = "astra:env-server:env:"
REPLICA = "astra:env-server:replica:"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of its own, for it is emptied."""
    with with_services.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def store(broker: str) -> AsyncIterator[Any]:
    async with redis.Redis.from_url(broker, decode_responses=True) as opened:
        await opened.flushall()
        yield opened


class Served(httpx2.AsyncClient):
    """A server on a port of its own, in this process, and a client of it."""

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(base_url=url, timeout=60, trust_env=False)
        self.app, self.url = app, url

    async def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", (await self.get("/metrics")).text, re.M)
        return float(found[1]) if found else 0.0

    async def replays(self) -> float:
        return await self.metric("astra_env_replays_total")

    async def forwarded(self, outcome: str = "answered") -> float:
        return await self.metric(f'astra_env_forwarded_total{{outcome="{outcome}"}}')

    async def beat(self) -> None:
        await self.app.state.replica.beat()


@asynccontextmanager
async def served(database_url: str, redis_url: str, **settings: Any) -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        given: Json = {"database_url": database_url, "redis_url": redis_url, "advertised_url": url, "max_runners": 4}
        app = create_app(Settings(**(given | settings)))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        try:
            async with Served(app, url) as client:
                await client.beat()
                yield client
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def two(empty_database: str, broker: str, store: Any) -> AsyncIterator[tuple[Served, Served]]:
    async with served(empty_database, broker) as one, served(empty_database, broker) as other:
        yield one, other


async def begin(server: Served, make_arena: Any, code: str = COUNTER, **options: Any) -> str:
    """A new env on this server, reset; its id."""
    published = await server.post("/arenas", json=make_arena(code, {"by": 4321}, 8642))
    assert published.status_code in (200, 201), published.text
    made = await server.post("/envs", json={"arena_id": published.json()["id"], **options})
    env_id = str(made.json()["id"])
    assert (await server.post(f"/envs/{env_id}/reset", json={})).status_code == 200
    return env_id


async def count(server: Served, env_id: str, by: int = 1, step_id: str | None = None, **more: Any) -> int:
    body = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": by}}]}, "step_id": step_id}
    reply = await server.post(f"/envs/{env_id}/step", json=body, **more)
    assert reply.status_code == 200, reply.text
    return total(reply.json())


async def known(store: Any, env_id: str, address: str) -> None:
    """Wait until Redis has it that the env is there."""
    while await store.get(ENV + env_id) != address:  # noqa: ASYNC110 Redis rings no bell
        await asyncio.sleep(0.01)


async def test_a_request_is_answered_by_the_server_that_has_the_env(
    two: tuple[Served, Served], store: Any, make_arena: Any
) -> None:
    one, other = two
    env_id = await begin(one, make_arena)
    await known(store, env_id, one.url)
    for turn, server in enumerate((one, other, other, one, other), start=1):
        assert await count(server, env_id, step_id=str(turn)) == turn
    assert (await other.get(f"/envs/{env_id}")).json()["steps"] == 5
    assert len((await other.get(f"/envs/{env_id}/trajectory")).json()["steps"]) == 5
    assert (await other.post(f"/envs/{env_id}/step?x=%C3%A4", json={})).status_code == 422
    assert await other.forwarded() == 6
    assert await one.replays() == await other.replays() == 0, "nobody had to go through the log"
    assert (await other.delete(f"/envs/{env_id}")).status_code == 204
    assert (await one.get(f"/envs/{env_id}")).status_code == 404


async def test_the_owners_steps_ask_redis_nothing(two: tuple[Served, Served], store: Any, make_arena: Any) -> None:
    env_id = await begin(two[0], make_arena)
    await known(store, env_id, two[0].url)
    before = {server.url: server.app.state.replica._directory for server in two}
    asked = 0
    find = before[two[0].url].find

    async def watched(env_id: str) -> str | None:
        nonlocal asked
        asked += 1
        return await find(env_id)  # type: ignore[no-any-return]

    before[two[0].url].find = watched
    for turn in range(1, 11):
        assert await count(two[0], env_id) == turn
    assert asked == 0
    await two[0].get("/envs/env_elsewhere")
    assert asked == 1


async def test_an_emptied_redis_loses_nothing(two: tuple[Served, Served], store: Any, make_arena: Any) -> None:
    one, other = two
    env_id = await begin(one, make_arena)
    for turn in range(1, 9):
        await store.flushall()
        assert await count((one, other)[turn % 2], env_id, step_id=str(turn)) == turn
    await store.flushall()
    await asyncio.gather(one.beat(), other.beat())
    await asyncio.gather(one.beat(), other.beat())  # both had it in memory, now one has
    holders = [s for s in two if s.app.state.resources.envs.keeper.holds(env_id)]
    assert len(holders) == 1
    replays = await one.replays() + await other.replays()
    for turn in range(9, 13):
        assert await count((one, other)[turn % 2], env_id, step_id=str(turn)) == turn
    assert await one.replays() + await other.replays() <= replays + 1, "they have found each other again"


async def test_without_redis_all_goes_on(empty_database: str, tmp_path: Path, make_arena: Any) -> None:
    with with_services.redis(tmp_path) as url:
        broker = url
    async with served(empty_database, broker) as one, served(empty_database, broker) as other:
        env_id = await begin(one, make_arena)
        for turn in range(1, 7):
            assert await count((one, other)[turn % 2], env_id, step_id=str(turn)) == turn
        assert (await one.get(f"/envs/{env_id}")).json()["steps"] == 6


async def test_a_request_is_handed_on_once_at_most(two: tuple[Served, Served], store: Any, make_arena: Any) -> None:
    one, other = two
    env_id = await begin(one, make_arena)
    await known(store, env_id, one.url)
    # What was handed on is answered, whatever Redis says by then.
    assert await count(other, env_id, headers={"X-Astra-Forwarded": one.url}) == 1
    assert await other.forwarded() == 0

    # A server that takes itself for another one asks itself once.
    await one.app.state.resources.envs.keeper.let_go(env_id)
    alias = one.url.replace("127.0.0.1", "localhost")
    await store.set(REPLICA + alias, "1")
    await store.set(ENV + env_id, alias)
    assert await count(one, env_id) == 2
    assert await one.forwarded() == 1


async def test_headers_go_along_and_errors_come_back(
    empty_database: str, broker: str, store: Any, make_arena: Any
) -> None:
    token = {"api_token": "secret-of-this-test"}
    async with served(empty_database, broker, **token) as one, served(empty_database, broker, **token) as other:
        for server in (one, other):
            server.headers["Authorization"] = "Bearer secret-of-this-test"
        env_id = await begin(one, make_arena)
        await known(store, env_id, one.url)
        assert await count(other, env_id) == 1
        wrong = await other.post(f"/envs/{env_id}/reset", json={"options": {"x": 1}})
        assert (wrong.status_code, wrong.json()["error"]) == (422, "Invalid")
        assert await other.forwarded() == 2
        refused = await other.get(f"/envs/{env_id}", headers={"Authorization": "Bearer another"})
        assert refused.status_code == 401
        assert await other.forwarded() == 2, "who may not come in is not let in next door"


async def test_a_server_that_is_killed_is_stood_in_for(
    empty_database: str, broker: str, store: Any, make_arena: Any, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    given = {"DATABASE_URL": empty_database, "REDIS_URL": broker, "ADVERTISED_URL": url, "MAX_RUNNERS": "4"}
    environment = {**os.environ, **{f"ASTRA_ENV_SERVER_{key}": value for key, value in given.items()}}
    code = COUNTER.replace(
        "    global n\n", "    global n\n    import time\n    if by == 9:\n        time.sleep(0.9)\n"
    )
    async with served(empty_database, broker) as other, httpx2.AsyncClient(base_url=url, timeout=60) as plain:
        with (tmp_path / "log").open("w") as log:
            command = [sys.executable, "-m", "astra_env_server", "serve", "--port", str(port)]
            owner = subprocess.Popen(command, env=environment, stderr=log)  # noqa: ASYNC220 it waits for nothing
        try:
            while not await _ready(plain):
                assert owner.poll() is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.1)
            env_id = await begin(plain, make_arena, code.replace("4321", "4320"))  # type: ignore[arg-type]
            await known(store, env_id, url)
            assert await count(other, env_id, 10) == 10
            assert await other.forwarded() == 1
            slow = [
                asyncio.create_task(count(other, env_id, 9, step_id="slow")),
                asyncio.create_task(other.get(f"/envs/{env_id}")),
            ]
            await asyncio.sleep(0.4)  # in the middle of the call
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            assert await slow[0] == 19, "the step was not finished there, so it is taken here"
            assert (await slow[1]).json()["steps"] in (1, 2)
            assert await store.exists(REPLICA + url), "it is not yet known to be dead"
            assert await count(other, env_id, 9, step_id="slow") == 19
            assert await count(other, env_id, 20) == 39
            assert await other.forwarded("taken_over") >= 1
            assert await other.replays() == 1
        finally:
            owner.kill()
            owner.wait()


async def _ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_a_step_that_cannot_be_repeated_is_not(
    empty_database: str, broker: str, store: Any, make_arena: Any
) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    deaf = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{deaf.sockets[0].getsockname()[1]}"
    async with deaf, served(empty_database, broker) as server:
        env_id = await begin(server, make_arena)
        action = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 1}}]}}
        for path, body, status in (
            ("step", action, 502),
            ("step", action | {"step_id": "a"}, 200),
            ("fork", {}, 502),
            ("fork", None, 502),
        ):
            await server.app.state.resources.envs.keeper.let_go(env_id)
            await store.set(REPLICA + url, "1")
            await store.set(ENV + env_id, url)
            server.app.state.replica._doubted.clear()
            reply = await server.post(f"/envs/{env_id}/{path}", json=body)
            assert reply.status_code == status, reply.text
        assert (await server.get(f"/envs/{env_id}")).json()["steps"] == 1
