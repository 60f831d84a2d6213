"""Importing real servers over standard input and output, good ones and bad ones."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
Body = dict[str, Any]


async def test_a_good_server_is_imported_in_the_openai_shape(client: httpx2.AsyncClient, notes: Body) -> None:
    reply = await client.post("/servers", json=notes)
    assert reply.status_code == 201, reply.text
    server = reply.json()
    assert [tool["name"] for tool in server["tools"]] == [
        "create_note", "get_note", "delete_note", "look_around", "sleep_for",
    ]  # fmt: skip
    tool = server["tools"][1]
    assert tool["description"] == "Give the text of a note that was written down earlier."
    assert tool["parameters"]["properties"]["note_id"]["type"] == "string"
    assert tool["parameters"]["required"] == ["note_id"]
    assert set(tool["output_schema"]["properties"]) == {"note_id", "text"}
    assert server["dropped"] == {}
    assert (await client.get("/servers/notes")).json() == server


async def test_the_same_id_again_is_imported_anew(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    first = rogue("plain") | {"id": "one", "title": "First"}
    second = rogue("malformed") | {"id": "one", "title": "Second"}
    assert (await client.post("/servers", json=first)).status_code == 201
    reply = await client.post("/servers", json=second)
    assert reply.status_code == 200
    assert reply.json()["title"] == "Second"
    listed = (await client.get("/servers")).json()["items"]
    assert [(server["id"], server["title"]) for server in listed] == [("one", "Second")]
    assert listed[0]["dropped"]


async def test_an_import_that_fails_leaves_the_earlier_one(
    client: httpx2.AsyncClient, rogue: Callable[..., Body]
) -> None:
    await client.post("/servers", json=rogue("plain") | {"id": "one"})
    assert (await client.post("/servers", json=rogue("dies") | {"id": "one"})).status_code == 502
    assert [tool["name"] for tool in (await client.get("/servers/one")).json()["tools"]] == ["echo"]


async def test_unfit_tools_are_dropped_with_reasons(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    reply = await client.post("/servers", json=rogue("malformed"))
    assert reply.status_code == 201, reply.text
    assert [tool["name"] for tool in reply.json()["tools"]] == ["echo"]
    dropped = reply.json()["dropped"]
    for name, reason in {
        "echo#2": "twice",
        "twin": "same description and parameters",
        "tool 3": "no object",
        "tool 4": "its name is no text",
        "two words": "its name is no text",
        "silent": "no description",
        "get_user": "no more than its name",
        "listed": "schema is no object",
        "texty": "does not plainly describe an object",
        "either": "does not plainly describe an object",
        "lost": "refers to what is not in it",
        "away": "refers to what is not in it",
        "untrue": "no valid JSON Schema",
        "wants": "requires parameters that it does not describe",
        "endless": "no JSON that can be stored",
        "nul": "NUL",
        "vast": "larger than",
    }.items():
        assert reason in dropped.pop(name), name
    assert dropped == {}


@pytest.mark.parametrize(
    ("habit", "told"),
    [
        ("dies", "exit status 7; on standard error it said: no licence found"),
        ("list_dies", "exit status 4; on standard error it said: out of paper"),
        ("odd_start", "could not be started"),
        ("endless_line", "a message longer than"),
        ("many", "more than 256 tools"),
        ("no_list", "no list of tools"),
        ("endless_list", "does not end"),
    ],
)
async def test_a_bad_server_is_told_of_and_gone(
    client: httpx2.AsyncClient,
    rogue: Callable[..., Body],
    left_over: Callable[[], list[str]],
    habit: str,
    told: str,
) -> None:
    reply = await client.post("/servers", json=rogue(habit))
    assert reply.status_code == 502, reply.text
    assert reply.json()["error"] == "UpstreamFailed"
    assert told in reply.json()["detail"]
    assert left_over() == []
    assert (await client.get(f"/servers/{habit}")).status_code == 404


@pytest.mark.parametrize(
    ("habit", "told"), [("silent_start", "within 1 s: it said nothing"), ("junk", "'starting up, please wait'")]
)
async def test_a_server_that_never_answers_is_given_up(
    serve: Serve, rogue: Callable[..., Body], left_over: Callable[[], list[str]], habit: str, told: str
) -> None:
    async with serve(start_timeout_s=1) as client:
        reply = await client.post("/servers", json=rogue(habit))
        assert reply.status_code == 502
        assert told in reply.json()["detail"]
        assert left_over() == []


async def test_lines_that_are_no_messages_are_passed_over(
    client: httpx2.AsyncClient, rogue: Callable[..., Body]
) -> None:
    assert (await client.post("/servers", json=rogue("chatty"))).status_code == 201


BAD_LAUNCHES: list[tuple[Body, str]] = [
    ({"command": "bash", "args": ["-c", "true"]}, "launch.command"),
    ({"command": "/bin/python3"}, "launch.command"),
    ({"command": "python3", "setup": [["rm", "-rf", "x"]]}, "launch.setup[0]"),
    ({"command": "python3", "env": {"LD_PRELOAD": "/x.so"}}, "launch.env"),
    ({"command": "python3", "env": {"PYTHONPATH": "/x"}}, "launch.env"),
    ({"command": "python3", "env": {"path": "/x"}}, "launch.env"),
    ({"command": "python3", "env": {"A=B": "x"}}, "env"),
    ({"command": "python3", "files": {"../x": ""}}, "files"),
    ({"command": "python3", "files": {"/x": ""}}, "files"),
    ({"command": "python3", "files": {"a": "", "a/b": ""}}, "launch.files"),
    ({"command": "python3", "setup": [[]]}, "setup"),
    ({"command": "python3", "args": ["x" * 2_000] * 64, "setup": [["python3", *["x" * 2_000] * 63]] * 2}, "launch"),
]  # fmt: skip


async def test_launches_that_are_not_allowed(client: httpx2.AsyncClient, left_over: Callable[[], list[str]]) -> None:
    for launch, field in BAD_LAUNCHES:
        reply = await client.post("/servers", json={"id": "x", "domain": "tests", "launch": launch})
        assert reply.status_code == 422, f"{launch}: {reply.text}"
        assert field in reply.json()["detail"]
    assert left_over() == []


async def test_a_command_that_is_not_installed(serve: Serve) -> None:
    async with serve(allowed_commands=["no-such-command"]) as client:
        body = {"id": "x", "domain": "tests", "launch": {"command": "no-such-command"}}
        reply = await client.post("/servers", json=body)
        assert (reply.status_code, reply.json()["error"]) == (503, "Unavailable")
        assert (await client.get("/readyz")).status_code == 503


async def test_too_few_tools(serve: Serve, rogue: Callable[..., Body]) -> None:
    async with serve(min_tools=3) as client:
        reply = await client.post("/servers", json=rogue("plain"))
        assert reply.status_code == 422
        assert "at least 3 must be" in reply.json()["detail"]


async def test_a_set_up_that_fails(
    client: httpx2.AsyncClient, rogue: Callable[..., Body], left_over: Callable[[], list[str]]
) -> None:
    body = rogue("plain", setup=[["python3", "-c", "import sys; print('no disk'); sys.exit(5)"]])
    reply = await client.post("/servers", json=body)
    assert reply.status_code == 502
    assert "no disk" in reply.json()["detail"]
    assert "exit status 5" in reply.json()["detail"]
    assert left_over() == []
