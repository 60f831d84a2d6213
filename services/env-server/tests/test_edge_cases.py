"""Requests that are wrong, in every way we could think of and in many that we could not."""

import os
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from astra_env_server.models import metadata
from astra_proto.errors import ErrorBody
from astra_service.database import Database
from sqlalchemy import Connection

Json = dict[str, Any]

ARENA, ENV = "ar_" + "0" * 32, "env_" + "0" * 32
ACTION = {"content": "?"}

BAD: list[tuple[str, str, Any, int]] = [
    ("POST", "/arenas", {}, 422),
    ("POST", "/arenas", [], 422),
    ("POST", "/arenas", None, 422),
    ("POST", "/arenas/check", {"domain": 5}, 422),
    ("GET", "/arenas?cursor=x", None, 422),
    ("GET", "/arenas?cursor=%C3%A9", None, 422),
    ("GET", "/arenas?cursor=", None, 422),
    ("GET", "/arenas?cursor=YQB", None, 422),
    ("GET", "/arenas?limit=0", None, 422),
    ("GET", "/arenas?limit=99999999999999999999", None, 422),
    ("GET", "/arenas?split=none", None, 422),
    ("GET", "/arenas?domain=", None, 422),
    ("GET", "/arenas?splt=train", None, 422),
    ("GET", f"/arenas/{ARENA}?full=1", None, 422),
    ("GET", "/envs?colour=red", None, 422),
    ("POST", f"/envs/{ENV}/reset?seed=1", {}, 422),
    ("GET", f"/arenas/{ARENA}", None, 404),
    ("GET", f"/arenas/{ARENA}/full", None, 404),
    ("GET", "/arenas/ar_1", None, 422),
    ("DELETE", f"/arenas/{ARENA}", None, 405),
    ("GET", "/demonstrations?cursor=%00", None, 422),
    ("GET", "/demonstrations?split=5", None, 422),
    ("POST", "/sandbox/run", {}, 422),
    ("POST", "/sandbox/run", {"code": "", "calls": [{"name": "f"}]}, 422),
    ("POST", "/sandbox/run", {"code": "x", "calls": []}, 422),
    ("POST", "/sandbox/run", {"code": "x", "calls": [{"name": "f"}], "timeout_s": -1}, 422),
    ("POST", "/envs", {"arena_id": ARENA}, 404),
    ("POST", "/envs", {"arena_id": "no"}, 422),
    ("POST", "/envs", {"arena_id": ARENA, "seed": 2**31}, 422),
    ("POST", "/envs", {"arena_id": ARENA, "max_steps": 0}, 422),
    ("POST", "/envs", {"arena_id": ARENA, "ttl_s": 1e300}, 422),
    ("POST", "/envs", {"arena_id": ARENA, "reward_mode": "generous"}, 422),
    ("POST", "/envs", {"arena_id": ARENA, "distractor": {}}, 422),
    ("GET", f"/envs/{ENV}", None, 404),
    ("GET", "/envs/1", None, 422),
    ("DELETE", f"/envs/{ENV}", None, 404),
    ("POST", f"/envs/{ENV}/reset", {}, 404),
    ("POST", f"/envs/{ENV}/reset", {"seed": "a"}, 422),
    ("POST", f"/envs/{ENV}/reset", {"options": {"x": 1}}, 422),
    ("POST", f"/envs/{ENV}/step", {"action": ACTION}, 404),
    ("POST", f"/envs/{ENV}/step", {"action": {}}, 422),
    ("POST", f"/envs/{ENV}/step", {"action": {"tool_calls": [{"name": "f"}] * 65}}, 422),
    ("POST", f"/envs/{ENV}/step", {"action": ACTION, "step_id": ""}, 422),
    ("POST", f"/envs/{ENV}/step", {"action": ACTION, "timeout_s": 0}, 422),
    ("GET", f"/envs/{ENV}/trajectory", None, 404),
    ("GET", f"/envs/{ENV}/step", None, 405),
    ("POST", "/capacity", {}, 405),
    ("GET", "/nowhere", None, 404),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
async def test_a_bad_request_is_told_so(server: Any, method: str, path: str, body: Any, status: int) -> None:
    reply = await server.request(method, path, json=body)
    assert reply.status_code == status, reply.text
    ErrorBody.model_validate(reply.json())


@pytest.mark.anyio
async def test_a_filter_that_is_misspelt_is_told_with_those_there_are(server: Any) -> None:
    told = (await server.get("/demonstrations?splt=train&limit=1")).json()["detail"]
    assert told == "query.splt: no parameter of this route, those are cursor, limit, split"
    assert (await server.get("/arenas?split=test&limit=1&min_hops=1")).status_code == 200
    assert (await server.get("/metrics?name[]=up")).status_code == 200, "scrapers may add to it"


@pytest.mark.anyio
async def test_a_final_answer_cannot_count_where_there_is_none(server: Any, library: Json) -> None:
    library["final_answer"] = None
    reply = await server.post("/envs", json={"arena_id": await server.publish(library), "final_answer": True})
    assert (reply.status_code, reply.json()["error"]) == (422, "Invalid")
    assert "final_answer" in reply.json()["detail"]


HUGE = 10**300
ODD_ARGUMENTS: list[Any] = [
    {"member_id": HUGE},
    {"member_id": -HUGE},
    {"member_id": 1e308},
    {"member_id": None},
    {"member_id": "x" * 150_000},
    {"member_id": "\u202e\ufeff\U0001f600"},
    {"": 1},
    {"member_id": {"a": {"b": [[[[[]]]]]}}},
    '"\\ud800"',
    '{"member_id": "\\ud800"}',
    '{"member_id": "\\u0000"}',
    '{"member_id": 1, "member_id": "M-2041"}',
    "null",
    "",
    " " * 1_000,
    "[" * 100_000,
    '{"member_id": ' + "9" * 10_000 + "}",
]


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", ODD_ARGUMENTS, ids=range(len(ODD_ARGUMENTS)))
async def test_odd_arguments_are_observations(server: Any, library: Json, arguments: Any) -> None:
    play = await server.play(await server.publish(library))
    reply = await play.call("find_overdue_loan", arguments, step_id="odd")
    assert reply["info"]["error_class"] in ("policy", "tool", None)
    assert await play.call("find_overdue_loan", arguments, step_id="odd") == reply
    assert (await play.ok("GET", "/trajectory"))["steps"][0]["info"] == reply["info"]
    assert (await play.send("DELETE", "")).status_code == 204


@pytest.mark.anyio
@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"branch": {"pattern": "(a+)+$", "type": "string"}}, "required": ["branch"]},
        {"type": "object", "properties": {"branch": {"type": "array", "uniqueItems": True}}, "required": ["branch"]},
        {"type": "object", "properties": {"branch": {"type": "number", "multipleOf": 1e-9}}, "required": ["branch"]},
    ],
)
async def test_a_schema_that_is_slow_to_check_does_not_stop_the_server(
    server: Any, library: Json, parameters: Json
) -> None:
    library["distractors"][0]["parameters"] = parameters
    library["distractors"][0]["code"] = "def get_branch_hours(branch):\n    return 'open'\n"
    play = await server.play(await server.publish(library))
    for value in ("a" * 5_000 + "!", [{"n": n} for n in range(20_000)], 10**300, 1e300):
        await play.call("get_branch_hours", {"branch": value})


@pytest.mark.anyio
async def test_the_migrations_make_the_tables_that_the_code_expects(server: Any, database_url: str) -> None:
    database = Database(database_url)

    def differences(connection: Connection) -> list[Any]:
        options = {"include_object": lambda _o, name, kind, *_: kind != "table" or name in metadata.tables}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


@pytest.mark.anyio
async def test_ready_means_that_all_it_needs_answers(server: Any) -> None:
    reply = await server.get("/readyz")
    assert reply.status_code == 200
    needed = {"database", "sandbox"} | ({"redis"} if os.environ.get("ASTRA_TEST_REDIS_URL") else set())
    assert reply.json()["checks"] == dict.fromkeys(needed, "ok")
    assert not reply.json()["degraded"]


@pytest.mark.anyio
async def test_ready_and_degraded_without_what_it_can_do_without(serve: Any, library: Any, golden: Any) -> None:
    away = "http://127.0.0.1:1"
    async with serve(redis_url="redis://127.0.0.1:1/0", tool_registry_url=away, advertised_url=away) as server:
        reply = await server.get("/readyz")
        assert reply.status_code == 200
        told = reply.json()
        assert told["ready"]
        assert told["degraded"]
        assert {name for name, said in told["checks"].items() if said == "ok"} == {"database", "sandbox"}
        assert told["checks"]["redis"]
        assert "tool-registry" in told["checks"]
        play = await server.play(await server.publish(library))
        assert sum([(await play.call(*call))["reward"] for call in golden]) == pytest.approx(1.0)


@pytest.mark.anyio
async def test_a_token_that_is_set_is_asked_for(serve: Any) -> None:
    async with serve(api_token="secret") as server:
        assert (await server.get("/arenas")).status_code == 401
        assert (await server.get("/arenas", headers={"Authorization": "Bearer secret"})).status_code == 200
        assert (await server.get("/healthz")).status_code == 200
