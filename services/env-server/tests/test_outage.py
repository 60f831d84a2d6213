"""A database that is locked or gone is a 503 that says when to come back, never a 500."""

import asyncio
import json
import sqlite3
from typing import Any

import asyncpg
import pytest
from astra_env_server.envs import log_postgres, log_sqlite
from astra_env_server.envs.log_entry import StepRow
from astra_env_server.models import metadata
from astra_proto.errors import Unavailable
from astra_service.database import Database
from astra_service.outage import outage
from sqlalchemy import event

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def impatient(server: Any) -> None:
    """Wait a moment for a locked database, not half a minute."""
    server.resources.envs._player._log._patience_s = 0.05
    engine = server.resources.envs._repository._database.engine.sync_engine
    event.listen(engine, "checkout", lambda connection, *_: connection.cursor().execute("PRAGMA busy_timeout=50"))


@pytest.fixture
def path(empty_database: str) -> str:
    if not empty_database.startswith("sqlite"):
        pytest.skip("a lock of SQLite's")
    return empty_database.partition("///")[2]


async def test_a_locked_database_is_a_503_and_then_all_goes_on(
    empty_database: str, path: str, serve: Any, library: Json, golden: Any
) -> None:
    async with serve(empty_database) as server:
        impatient(server)
        arena_id = await server.publish(library)
        play = await server.play(arena_id)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        body = {"action": {"tool_calls": [{"name": golden[0][0], "arguments": golden[0][1]}]}, "step_id": "1"}
        for reply in (
            await play.send("POST", "/step", json=body),
            await server.post("/envs", json={"arena_id": arena_id}),
            await play.send("POST", "/reset", json={}),
        ):
            assert (reply.status_code, reply.json()["error"]) == (503, "Unavailable"), reply.text
            assert int(reply.headers["Retry-After"]) >= 1
        batch = await server.post("/batch/step", json={"steps": [{"env_id": play.env_id, **body}]})
        assert (batch.status_code, batch.json()["results"][0]["status"]) == (200, 503)
        text = json.dumps({"name": golden[0][0], "arguments": golden[0][1]})
        asked = {"trajectory_ids": [play.env_id], "actions": [f"<tool_call>{text}</tool_call>"], "extra_fields": [{}]}
        seen = (await server.post("/gym/get_observation", json=asked)).json()["observations"][0]
        assert (seen["error"], seen["reward_valid"]) == ("Unavailable", False)
        call = {"method": "tools/call", "params": {"name": golden[0][0], "arguments": golden[0][1]}}
        accept = {"Accept": "application/json, text/event-stream"}
        told = await play.send("POST", "/mcp", json={"jsonrpc": "2.0", "id": 1, **call}, headers=accept)
        assert told.json()["result"]["isError"]
        assert told.json()["result"]["_meta"]["astra/step"]["error"] == "Unavailable"
        other.execute("ROLLBACK")
        assert (await play.send("POST", "/step", json=body)).status_code == 200
        assert (await play.ok("GET", ""))["steps"] == 1


async def test_a_step_waits_for_another_writer(
    empty_database: str, path: str, serve: Any, library: Json, golden: Any
) -> None:
    """The event loop does not: the server answers meanwhile."""
    async with serve(empty_database) as server:
        play = await server.play(await server.publish(library))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        step = asyncio.create_task(play.call(*golden[0]))
        for _ in range(5):
            assert (await server.get("/healthz")).status_code == 200
            await asyncio.sleep(0.05)
        assert not step.done()
        other.execute("ROLLBACK")
        assert (await step)["info"]["step_index"] == 1
        assert (await play.call(*golden[1]))["done"]


async def test_the_write_ahead_log_is_moved_while_steps_go_on(
    empty_database: str, path: str, serve: Any, library: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sqlite, "CHECKPOINT_STEPS", 5)
    async with serve(empty_database) as server:
        play = await server.play(await server.publish(library), max_steps=60)
        for _ in range(40):
            await play.call("no_such_tool")
        with sqlite3.connect(path) as other:
            table = metadata.tables["env_server_steps"].name
            assert other.execute(f"SELECT count(*) FROM {table}").fetchone() == (40,)


class Ending:
    """A connection between the server's last word and its own end, as the driver has it."""

    ended = False

    def is_closed(self) -> bool:
        return False

    async def fetch(self, *_: Any, **__: Any) -> Any:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    def terminate(self) -> None:
        self.ended = True


async def test_a_connection_that_is_just_ending_is_a_503_and_is_not_used_again() -> None:
    step_log = log_postgres.PostgresStepLog(
        Database("postgresql+asyncpg://nobody@127.0.0.1:9/nothing"), lambda _steps: None
    )
    ending = step_log._connection = Ending()
    row = StepRow("env_1", 1, 1, 0, "a", "", "{}", "[]")
    with pytest.raises(Unavailable):
        await step_log.append(row, None)
    assert ending.ended
    assert step_log._connection is None
    assert outage(asyncpg.InternalClientError("cannot switch to state 12")) is not None
