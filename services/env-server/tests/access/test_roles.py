"""What each role may do, over every route there is; and whose envs are whose."""

import re
from typing import Any

import pytest
from astra_env_server.access.roles import RULES, WEBSOCKET, least_role
from astra_env_server.app import create_app
from astra_env_server.settings import Settings
from astra_proto.access import Role
from astra_proto.errors import MethodNotAllowed, NotFound
from astra_service.app import routes
from astra_service.http import OPEN_PATHS
from starlette.routing import WebSocketRoute

pytestmark = pytest.mark.anyio

IDS = {"arena_id": "ar_" + "0" * 32, "env_id": "env_" + "0" * 32, "key_id": "key_" + "0" * 16}
GUARDED = [(method, path) for method, path, _ in routes(create_app(Settings())) if path not in OPEN_PATHS]


def test_every_route_has_a_role() -> None:
    missing = [f"{method} {path}" for method, path in GUARDED if (method, path) not in RULES]
    assert not missing, f"give these a least role in access/roles.py: {missing}"


def test_every_socket_has_a_role() -> None:
    """The OpenAPI document knows no WebSockets, so they are looked for in the routers."""
    routers = [getattr(route, "original_router", None) for route in create_app(Settings()).routes]
    every = [route for router in routers if router is not None for route in router.routes]
    sockets = {route.path for route in every if isinstance(route, WebSocketRoute)}
    assert "/envs/{env_id}/ws" in sockets
    missing = [path for path in sockets if (WEBSOCKET, path) not in RULES]
    assert not missing, f"give these a least role in access/roles.py: {missing}"


@pytest.mark.parametrize("role", Role)
async def test_each_role_on_each_route(guarded: Any, make_key: Any, as_key: Any, role: Role) -> None:
    client = as_key((await make_key(role.value))["key"])
    for method, path in GUARDED:
        place = re.sub(r"\{(\w+)\}", lambda found: IDS[found[1]], path)
        reply = await client.request(method, place, json={} if method == "POST" else None)
        if role.rank < RULES[method, path].rank:
            assert (reply.status_code, reply.json()["error"]) == (403, "Forbidden"), f"{method} {path}"
            assert RULES[method, path].value in reply.json()["detail"]
        else:
            assert reply.status_code in (200, 404, 422), f"{method} {path}: {reply.text[:200]}"


async def test_without_a_key_nothing_but_health(guarded: Any, as_key: Any) -> None:
    nobody = as_key("x")
    for method, path in GUARDED:
        assert (await nobody.request(method, path)).status_code == 401, f"{method} {path}"
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert (await nobody.get(path)).status_code == 200, path


async def test_what_is_not_in_the_table_is_not_there(make_key: Any, as_key: Any) -> None:
    agent = as_key((await make_key("agent"))["key"])
    for path in ("/nothing", "/", "/envs/", "/arenas/x/full/more", "/keys/x/y"):
        assert (await agent.get(path)).status_code == 404, path
    for path in ("/%61renas/" + IDS["arena_id"] + "/full", "/arenas/" + IDS["arena_id"] + "/ful%6C"):
        assert (await agent.get(path)).status_code == 403, path  # another spelling of the same
    assert (await agent.put("/envs")).status_code == 405


def test_the_table_is_read_as_written() -> None:
    for (method, path), role in RULES.items():
        assert least_role(method, re.sub(r"\{\w+\}", "anything", path)) is role
    with pytest.raises(MethodNotAllowed):
        least_role("PATCH", "/envs")
    with pytest.raises(NotFound):
        least_role(WEBSOCKET, "/envs/x/y/ws")


@pytest.fixture
async def arena(guarded: Any, library: Any) -> str:
    found: str = await guarded.publish(library)
    return found


async def made_by(client: Any, arena: str) -> Any:
    play = await client.play(arena)
    await play.call("find_overdue_loan", {"member_id": "M-2041"}, step_id="1")
    return play


WAYS = [
    ("GET", "", None),
    ("POST", "/reset", {}),
    ("POST", "/step", {"action": {"content": "x"}}),
    ("GET", "/trajectory", None),
    ("DELETE", "", None),
]


async def test_an_env_is_there_for_those_who_may_have_it(guarded: Any, make_key: Any, as_key: Any, arena: str) -> None:
    async def holder(role: str, tenant: str) -> Any:
        return as_key((await make_key(role, tenant))["key"])

    owner = await holder("agent", "a")
    play = await made_by(owner, arena)
    strangers = [await holder(*who) for who in (("agent", "a"), ("agent", "b"), ("trainer", "b"), ("publisher", "b"))]
    for stranger in strangers:
        for method, path, body in WAYS:
            reply = await stranger.request(method, f"/envs/{play.env_id}{path}", json=body)
            never = await stranger.request(method, f"/envs/{IDS['env_id']}{path}", json=body)
            assert (reply.status_code, reply.json()["error"]) == (404, "NotFound"), f"{method} {path}"
            assert reply.text.replace(play.env_id, "") == never.text.replace(IDS["env_id"], "")
    assert (await owner.get(f"/envs/{play.env_id}")).json()["steps"] == 1, "no stranger has moved it on"
    for friend in (await holder("trainer", "a"), await holder("publisher", "a"), await holder("admin", "c"), guarded):
        assert (await friend.get(f"/envs/{play.env_id}")).json()["id"] == play.env_id
    assert (await owner.delete(f"/envs/{play.env_id}")).status_code == 204


async def test_it_holds_for_an_env_that_another_server_made(serve: Any, empty_database: str, library: Any) -> None:
    root = {"Authorization": "Bearer " + "r" * 20}
    async with (
        serve(empty_database, api_token="r" * 20) as one,
        serve(empty_database, api_token="r" * 20) as two,
    ):
        one.headers.update(root)
        arena = await one.publish(library)
        keys = [(await one.post("/keys", json={"tenant": t, "role": "trainer"})).json()["key"] for t in ("a", "b")]
        one.headers["Authorization"] = f"Bearer {keys[0]}"
        play = await made_by(one, arena)
        two.headers["Authorization"] = f"Bearer {keys[1]}"
        assert (await two.get(f"/envs/{play.env_id}")).status_code == 404
        two.headers["Authorization"] = f"Bearer {keys[0]}"
        assert (await two.get(f"/envs/{play.env_id}")).json()["steps"] == 1


async def test_an_agent_sees_no_answers(make_key: Any, as_key: Any, arena: str, library: Any) -> None:
    agent = as_key((await make_key("agent"))["key"])
    for path in (f"/arenas/{arena}/full", "/demonstrations", "/demonstrations?split=train"):
        assert (await agent.get(path)).status_code == 403, path
    shown = (await agent.get(f"/arenas/{arena}")).text + (await agent.get("/arenas")).text
    assert library["prompt"] in shown
    for hidden in ("golden_call", '"code"', '"answer"', "subtasks"):
        assert hidden not in shown


async def test_an_agent_gets_its_trajectory_as_it_was_played(make_key: Any, as_key: Any, arena: str) -> None:
    agent = as_key((await make_key("agent"))["key"])
    trainer = as_key((await make_key("trainer"))["key"])
    play = await made_by(agent, arena)
    seen = (await agent.get(f"/envs/{play.env_id}/trajectory")).json()
    whole = (await trainer.get(f"/envs/{play.env_id}/trajectory")).json()
    assert set(whole) - set(seen) == {"seed"}
    assert set(whole["steps"][0]) - set(seen["steps"][0]) == {"errors", "info"}
    assert seen["messages"] == whole["messages"]
    assert seen["steps"][0]["results"] == whole["steps"][0]["results"]


async def test_everyone_is_told_of_those_that_are_there_for_them(
    guarded: Any, make_key: Any, as_key: Any, library: Any
) -> None:
    arena = await guarded.publish(library)
    holders = {
        name: as_key((await make_key(role, tenant))["key"])
        for name, role, tenant in (
            ("agent", "agent", "a"),
            ("another", "agent", "a"),
            ("trainer", "trainer", "a"),
            ("stranger", "publisher", "b"),
            ("admin", "admin", "c"),
        )
    }
    own = {name: (await holder.play(arena)).env_id for name, holder in holders.items()}
    roots = (await guarded.play(arena)).env_id
    assert await ids_of(holders["agent"]) == [own["agent"]]
    assert await ids_of(holders["another"]) == [own["another"]]
    assert await ids_of(holders["trainer"]) == sorted(own[name] for name in ("agent", "another", "trainer"))
    assert await ids_of(holders["stranger"]) == [own["stranger"]]
    assert set(await ids_of(holders["admin"])) >= {*own.values(), roots}
    assert set(await ids_of(guarded)) >= {*own.values(), roots}


async def ids_of(client: Any) -> list[str]:
    return [env["id"] for env in (await client.get("/envs?limit=1000")).json()["items"]]
