"""Live sessions: isolation, whose fault a failure is, bounds, and that nothing is left behind."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
Body = dict[str, Any]
Reply = dict[str, Any]


async def opened(client: httpx2.AsyncClient, body: Body, ttl_s: float = 60) -> str:
    """Import the server and open a session with it."""
    imported = await client.post("/servers", json=body)
    assert imported.status_code < 300, imported.text
    return await another(client, body, ttl_s)


async def another(client: httpx2.AsyncClient, body: Body, ttl_s: float = 60) -> str:
    reply = await client.post(f"/servers/{body['id']}/sessions", json={"ttl_s": ttl_s})
    assert reply.status_code == 201, reply.text
    assert reply.json()["server_id"] == body["id"]
    return str(reply.json()["id"])


async def call(client: httpx2.AsyncClient, session: str, tool: str, timeout_s: float = 30, **arguments: Any) -> Reply:
    body = {"name": tool, "arguments": arguments, "timeout_s": timeout_s}
    reply = await client.post(f"/sessions/{session}/calls", json=body)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def test_each_session_has_a_server_a_folder_and_a_state_of_its_own(
    client: httpx2.AsyncClient, notes: Body, workdirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    notes["launch"] |= {
        "files": {"world/a.txt": "hello"},
        "setup": [["python3", "-c", "open('made.txt', 'w').write('x')"]],
        "env": {"PLACE": "{workdir}"},
    }
    notes["launch"]["args"].append("{workdir}/db")
    one = await opened(client, notes)
    two = await another(client, notes)
    assert (await call(client, one, "create_note", text="mine"))["ok"]
    assert "mine" in (await call(client, one, "get_note", note_id="n1"))["output"]
    assert not (await call(client, two, "get_note", note_id="n1"))["ok"]
    seen = [(await call(client, session, "look_around"))["output"] for session in (one, two)]
    assert seen[0] != seen[1]
    for output in seen:
        assert "files=['made.txt', 'world']" in output
        assert str(workdirs) in output
        assert "'PLACE'" in output
        assert "{workdir}" not in output
        assert "SECRET_OF_OURS" not in output
    assert len(os.listdir(workdirs)) == 2
    for session in (one, two):
        assert (await client.delete(f"/sessions/{session}")).status_code == 204
    assert os.listdir(workdirs) == []


async def test_whose_fault_it_is(client: httpx2.AsyncClient, notes: Body) -> None:
    session = await opened(client, notes)
    assert (await call(client, session, "no_such_tool"))["error_class"] == "policy"
    assert (await call(client, session, "get_note"))["error_class"] == "policy"
    assert (await call(client, session, "get_note", note_id=7))["error_class"] == "policy"
    assert (await call(client, session, "get_note", note_id="n9"))["error_class"] == "tool"
    late = await call(client, session, "sleep_for", timeout_s=0.2, seconds=1)
    assert (late["ok"], late["error_class"]) == (False, "timeout")
    assert (await call(client, session, "create_note", text="after all"))["ok"]


@pytest.mark.parametrize(
    ("habit", "error_class", "told"),
    [
        ("refuses", "policy", "wrong arguments"),
        ("fails", "tool", "it broke"),
        ("call_dies", "infra", "I cannot go on"),
        ("huge", "infra", "a message longer than"),
    ],
)
async def test_failures_are_results(
    client: httpx2.AsyncClient,
    rogue: Callable[..., Body],
    left_over: Callable[[], list[str]],
    habit: str,
    error_class: str,
    told: str,
) -> None:
    session = await opened(client, rogue(habit))
    reply = await call(client, session, "echo", text="x")
    assert (reply["ok"], reply["error_class"]) == (False, error_class), reply
    assert told in reply["output"]
    if error_class == "infra":
        again = await call(client, session, "echo", text="x")
        assert (again["error_class"], told in again["output"]) == ("infra", True)
    assert (await client.delete(f"/sessions/{session}")).status_code == 204
    assert left_over() == []


async def test_parts_that_are_no_text_are_described(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    session = await opened(client, rogue("parts"))
    assert (await call(client, session, "echo"))["output"].split("\n") == [
        "first",
        "[image image/png, 4 characters of base64]",
        "[resource file:///a]",
        "embedded",
        "[a part of type hologram]",
        "[a part that is no object]",
    ]


async def test_a_result_of_no_known_shape(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    session = await opened(client, rogue("odd_result"))
    assert await call(client, session, "echo") == {"ok": True, "output": '{"a": 1}', "error_class": None}


async def test_a_large_result_is_cut_and_the_cut_is_told(serve: Serve, rogue: Callable[..., Body]) -> None:
    async with serve(max_output_chars=1_000) as client:
        session = await opened(client, rogue("large"))
        output = (await call(client, session, "echo"))["output"]
        assert len(output) == 1_000
        assert output.endswith("[cut: 200000 characters in all]")


async def test_no_more_sessions_than_there_is_room_for(serve: Serve, rogue: Callable[..., Body]) -> None:
    async with serve(max_sessions=1) as client:
        session = await opened(client, rogue("plain"))
        full = await client.post("/servers/plain/sessions", json={})
        assert (full.status_code, full.json()["error"]) == (429, "CapacityReached")
        assert full.headers["Retry-After"]
        await client.delete(f"/sessions/{session}")
        assert (await client.post("/servers/plain/sessions", json={})).status_code == 201


async def test_calls_wait_for_their_turn_but_not_too_many(serve: Serve, rogue: Callable[..., Body]) -> None:
    async with serve(max_pending_calls=2) as client:
        session = await opened(client, rogue("call_hangs"))
        body = {"name": "echo", "timeout_s": 0.3}
        replies = await asyncio.gather(*(client.post(f"/sessions/{session}/calls", json=body) for _ in range(6)))
        assert 429 in [reply.status_code for reply in replies]
        assert {r.json()["error_class"] for r in replies if r.status_code == 200} == {"timeout"}


async def test_a_session_without_calls_expires(
    client: httpx2.AsyncClient, rogue: Callable[..., Body], left_over: Callable[[], list[str]]
) -> None:
    session = await opened(client, rogue("plain"), ttl_s=0.2)
    while left_over():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    reply = await client.post(f"/sessions/{session}/calls", json={"name": "echo"})
    assert (reply.status_code, reply.json()["error"]) == (410, "Gone")
    assert (await client.delete(f"/sessions/{session}")).status_code == 204


async def test_closing_ends_a_call_that_hangs(
    client: httpx2.AsyncClient, rogue: Callable[..., Body], left_over: Callable[[], list[str]]
) -> None:
    session = await opened(client, rogue("call_hangs"))
    waiting = asyncio.create_task(call(client, session, "echo", timeout_s=300))
    await asyncio.sleep(0.3)
    assert (await client.delete(f"/sessions/{session}")).status_code == 204
    assert (await waiting)["error_class"] == "infra"
    assert left_over() == []
    assert (await client.post(f"/sessions/{session}/calls", json={"name": "echo"})).status_code == 410


async def test_removing_a_server_closes_its_sessions(
    client: httpx2.AsyncClient, rogue: Callable[..., Body], left_over: Callable[[], list[str]]
) -> None:
    session = await opened(client, rogue("plain"))
    assert (await client.delete("/servers/plain")).status_code == 204
    assert left_over() == []
    assert (await client.post(f"/sessions/{session}/calls", json={"name": "echo"})).status_code == 410
    assert (await client.delete("/servers/plain")).status_code == 404
    assert (await client.get("/tools")).json()["items"] == []


async def test_a_session_that_never_was(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/servers/nobody/sessions", json={})).status_code == 404
    unknown = f"/sessions/ts_{'0' * 32}"
    assert (await client.delete(unknown)).status_code == 404
    assert (await client.post(f"{unknown}/calls", json={"name": "x"})).status_code == 404
