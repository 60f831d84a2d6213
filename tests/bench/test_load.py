"""The load generator against a server of few lines: what it sends, what it makes of answers, what it reports."""

import asyncio
import dataclasses
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench import hotspots
from tests.bench.client import Http, Refused
from tests.bench.load import Plan
from tests.bench.players import Broken, Lacking, worked
from tests.bench.servers import ROOT, serving


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives each connection the answers in turn and then hangs up; its port, and what it was sent."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


@pytest.mark.anyio
async def test_requests_share_a_connection_and_errors_are_told() -> None:
    ok = b'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a":1}'
    gone = b"HTTP/1.1 410 Gone\r\ncontent-length: 2\r\n\r\n{}"
    async with answering(ok, gone) as (port, seen):
        http = await Http.open(port)
        assert await http.json("GET", "/x") == {"a": 1}
        with pytest.raises(Refused, match="GET /y was answered 410") as caught:
            await http.send("GET", "/y")
        assert caught.value.status == 410
        await http.close()
    assert seen[0].startswith(b"GET /x HTTP/1.1\r\n")
    assert b"content-length: 0\r\n" in seen[0]


@pytest.mark.anyio
async def test_a_connection_that_idled_is_opened_anew() -> None:
    empty = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    async with answering(empty) as (port, seen):
        http = await Http.open(port, idle_s=0.0)
        for _ in range(3):  # the server hangs up after each
            await http.send("GET", "/")
            await asyncio.sleep(0.01)
        await http.close()
    assert len(seen) == 3


def test_only_a_step_whose_tool_ran_counts() -> None:
    assert worked(b'{"info":{"error_class":null}}') == 29
    with pytest.raises(Broken, match="not a step that worked"):
        worked(b'{"info":{"error_class":"tool"}}')
    with pytest.raises(Broken):
        worked(b'{"info":{"error_class":null}}', steps=2)


def test_a_cell_that_cannot_be_played_says_why() -> None:
    plan = Plan("rest", 1, "ar_0", [{"name": "x", "arguments": {}}], clients=1, steps=1, seconds=1.0)
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        cwd=ROOT,
        input=json.dumps(dataclasses.asdict(plan)) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    event = json.loads(told.stdout)
    assert event["event"] == "failed"
    assert "refused" in event["why"].lower() or "connect" in event["why"].lower()


def test_a_server_that_does_not_start_is_lacking_with_its_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("bench") / "log"
    argv = [sys.executable, "-c", "raise SystemExit('isolation: there is no tier of paper')"]
    with pytest.raises(Lacking, match="no tier of paper"), serving(argv, 1, log, ready="/"):
        pass


def test_samples_go_to_the_layer_they_ran_for() -> None:
    folded = (
        "<module> (x/__main__.py:5);run (/l/astra_service/serve.py:60);Runner.run (asyncio/runners.py:118) 7\n"
        "run (asyncio/runners.py:118);f (a/sqlalchemy/engine/base.py:9);g (enum.py:3) 2\n"
        "Thread._bootstrap (threading.py:995);_connection_worker_thread (aiosqlite/core.py:59) 4\n"
        "not a frame 1\n"
    )
    seen = list(hotspots.stacks(folded))
    assert [count for _, count in seen] == [7, 2, 4]
    assert [hotspots.layer(stack) for stack, _ in seen] == ["event loop and HTTP server", *["the database"] * 2]
    assert [hotspots.is_loop(stack) for stack, _ in seen] == [True, True, False]
    assert hotspots.own_time(seen[1][0]) == "Python's enum"
    assert hotspots.own_time(seen[2][0]) == "database driver"
