"""The MCP SDK's own client, of both generations, plays our envs; what it may not do it is told."""

import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from .conftest import FINE, LIBRARY, LOAN, Ask, Running

TASK = json.loads(LIBRARY.read_text())["prompt"]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_plays_an_episode(running: Running, mode: str) -> None:
    env_id = running.env()
    async with Client(f"{running.url}/envs/{env_id}/mcp", mode=mode) as client:
        assert client.instructions == TASK
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        listed = (await client.list_tools()).tools
        assert {LOAN["name"], FINE["name"]} <= {tool.name for tool in listed}
        assert all(tool.input_schema["type"] == "object" for tool in listed)
        prompts = await client.list_prompts()
        told: Any = (await client.get_prompt(prompts.prompts[0].name)).messages[0].content
        assert told.text == TASK
        unknown = await client.call_tool("no_such_tool", {})
        assert unknown.is_error
        first = await client.call_tool(LOAN["name"], LOAN["arguments"], meta={"astra/step_id": "one"})
        again = await client.call_tool(LOAN["name"], LOAN["arguments"], meta={"astra/step_id": "one"})
        assert again.content == first.content
        second = await client.call_tool(FINE["name"], FINE["arguments"])
        assert not first.is_error
        assert first.meta is not None
        assert second.meta is not None
        assert second.meta["astra/step"]["done"] is True
        earned = first.meta["astra/step"]["reward"] + second.meta["astra/step"]["reward"]
        assert earned == pytest.approx(2 * 2 / (2 + 3)), "the step of one name was taken once"
        late = await client.call_tool(LOAN["name"], LOAN["arguments"])
        assert late.is_error
        assert "over" in str(late.content)
    steps = running.trajectory(env_id)["steps"]
    assert [step["info"]["calls"] for step in steps] == [1, 2, 3]


def test_the_client_of_the_generation_before(running: Running, ask: Ask) -> None:
    told = ask("mcp_episode.py", f"{running.url}/envs/{running.env()}/mcp")
    assert told["instructions"] == told["prompt"] == TASK
    assert set(told["tools"]) >= {LOAN["name"], FINE["name"]}
    assert told["failed"] == [False, False, True]
    assert sum(meta["reward"] for meta in told["meta"]) == pytest.approx(1.0)
    assert "over" in told["texts"][2]


@pytest.mark.anyio
async def test_a_final_answer_has_a_tool_where_it_counts(running: Running) -> None:
    env_id = running.env(final_answer=True)
    async with Client(f"{running.url}/envs/{env_id}/mcp") as client:
        assert "final_answer" in {tool.name for tool in (await client.list_tools()).tools}
        with pytest.raises(MCPError):
            await client.call_tool("final_answer", {})
        answered = await client.call_tool("final_answer", {"answer": "I do not know"})
        assert not answered.is_error
        assert answered.meta is not None
        assert answered.meta["astra/step"]["done"] is True


@pytest.mark.anyio
async def test_an_episode_under_way_is_not_begun_again(running: Running) -> None:
    env_id = running.env()
    running.http.post(f"/envs/{env_id}/reset", json={})
    action = {"tool_calls": [LOAN]}
    running.http.post(f"/envs/{env_id}/step", json={"action": action}).raise_for_status()
    async with Client(f"{running.url}/envs/{env_id}/mcp", mode="legacy") as client:
        done = await client.call_tool(FINE["name"], FINE["arguments"])
        assert done.meta is not None
        assert done.meta["astra/step"]["info"]["f1"] == pytest.approx(1.0)


@pytest.mark.anyio
async def test_an_env_that_is_not_there(running: Running) -> None:
    url = f"{running.url}/envs/env_{'0' * 32}/mcp"
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever way the client says it
        async with Client(url) as client:
            await client.list_tools()
    assert running.http.post(f"/envs/env_{'0' * 32}/mcp", json={}).status_code == 404


HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_others_may_not_play(running: Running, headers: dict[str, str], status: int) -> None:
    env_id = running.env()
    reply = running.http.post(f"/envs/{env_id}/mcp", json=HELLO, headers=ACCEPT | headers)
    assert reply.status_code == status, reply.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b"null", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","id":1,"method":5}', b"\xff\xfe",
     b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}}',
     b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}',
     b'{"jsonrpc":"2.0","id":1,"method":"no/such"}', b'{"jsonrpc":"2.0","method":"notifications/x"}',
     b'{"jsonrpc":"2.0","id":1,"result":{}}', b"[" * 100_000, b'{"a":"\\u0000"}'],
)  # fmt: skip
def test_no_body_breaks_it(running: Running, body: bytes) -> None:
    headers = ACCEPT | {"Content-Type": "application/json"}
    env_id = running.env()
    for version in ({}, {"MCP-Protocol-Version": "2025-06-18"}, {"MCP-Protocol-Version": "2026-07-28"}):
        reply = running.http.post(f"/envs/{env_id}/mcp", content=body, headers=headers | version)
        assert reply.status_code < 500, reply.text
    assert running.http.get(f"/envs/{env_id}/mcp").status_code == 405
    assert running.http.get("/healthz").status_code == 200
