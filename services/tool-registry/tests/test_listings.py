"""Listing, searching, graphs and chains over HTTP, and bad requests to each route."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio
Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
Body = dict[str, Any]


async def everything(client: httpx2.AsyncClient, path: str, limit: int, **query: Any) -> list[Body]:
    """All items of a listing, page by page."""
    items, cursor = [], None
    while True:
        given = query | {"limit": limit} | ({"cursor": cursor} if cursor else {})
        reply = await client.get(path, params=given)
        assert reply.status_code == 200, reply.text
        assert len(reply.json()["items"]) <= limit
        items += reply.json()["items"]
        cursor = reply.json()["next_cursor"]
        if cursor is None:
            return items


async def test_pages_hold_everything_once(client: httpx2.AsyncClient, notes: Body) -> None:
    for name in ("c", "a", "b"):
        assert (await client.post("/servers", json=notes | {"id": name})).status_code == 201
    assert [s["id"] for s in await everything(client, "/servers", 1)] == ["a", "b", "c"]
    assert len(await everything(client, "/catalogue", 2)) == 6
    for limit in (1, 4, 200):
        found = [(t["server_id"], t["name"]) for t in await everything(client, "/tools", limit)]
        assert found == sorted(found)
        assert len(found) == len(set(found)) == 15
        ranked = await everything(client, "/tools", limit, q="note delete")
        assert [(t["server_id"], t["name"]) for t in ranked[:4]] == [
            ("a", "delete_note"), ("b", "delete_note"), ("c", "delete_note"), ("a", "create_note"),
        ]  # fmt: skip
        assert len(ranked) == 9
    assert {t["server_id"] for t in await everything(client, "/tools", 3, server_id="b", q="NOTE")} == {"b"}
    for nothing in ("%", "_", "''", "zebra"):
        assert await everything(client, "/tools", 3, q=nothing) == []


async def test_graph_and_chains(client: httpx2.AsyncClient, notes: Body) -> None:
    await client.post("/servers", json=notes)
    graph = (await client.get("/servers/notes/graph")).json()
    assert len(graph["nodes"]) == 5
    edges = {(e["source"], e["target"]): e for e in graph["edges"]}
    assert edges["create_note", "get_note"]["evidence"]["output_feeds_input"] == 2.0
    assert not [pair for pair in edges if "sleep_for" in pair]
    proposed = [{"source": "sleep_for", "target": "look_around", "weight": 2}] * 2
    built = (await client.post("/servers/notes/graph", json={"proposed": proposed})).json()
    assert {"source": "sleep_for", "target": "look_around", "weight": 4.0, "evidence": {"proposed": 4.0}} in built[
        "edges"
    ]
    assert (await client.get("/servers/notes/graph")).json() == built
    assert (await client.post("/servers", json=notes)).status_code == 200
    assert (await client.get("/servers/notes/graph")).json() == built  # proposals outlive an import
    wish = {"count": 5, "seed": 7, "max_length": 3}
    chains = (await client.post("/servers/notes/chains", json=wish)).json()["items"]
    assert chains == (await client.post("/servers/notes/chains", json=wish)).json()["items"]
    assert all(len(chain["tools"]) in (2, 3) for chain in chains)
    assert (await client.post("/servers/notes/graph")).json() == graph


BAD_REQUESTS: list[tuple[str, str, Body | None, int]] = [
    ("POST", "/servers", {}, 422),
    ("POST", "/servers", {"id": "a b", "domain": "x", "launch": {"command": "python3"}}, 422),
    ("POST", "/servers", {"id": "a", "domain": "x", "launch": {"command": "bash"}}, 422),
    ("POST", "/servers", {"id": "a", "domain": "x", "launch": {"command": "python3"}, "more": 1}, 422),
    ("GET", "/servers?cursor=x", None, 422),
    ("GET", "/servers?cursor=WzFd", None, 422),
    ("GET", "/servers?limit=0", None, 422),
    ("GET", "/servers/nobody", None, 404),
    ("GET", "/servers/%00", None, 422),
    ("DELETE", "/servers/nobody", None, 404),
    ("GET", "/catalogue?cursor=%ff", None, 422),
    ("GET", "/tools?server_id=%20", None, 422),
    ("GET", "/tools?cursor=WzFd", None, 422),
    ("GET", "/tools?cursor=WzFlOTksICJhIiwgImIiXQ", None, 422),
    ("GET", f"/tools?q={'x' * 501}", None, 422),
    ("GET", "/servers/nobody/graph", None, 404),
    ("POST", "/servers/nobody/graph", {}, 404),
    ("POST", "/servers/nobody/graph", {"proposed": [{"source": "a", "target": "b", "weight": 0}]}, 422),
    ("POST", "/servers/nobody/chains", {}, 404),
    ("POST", "/servers/nobody/chains", {"min_length": 3, "max_length": 2}, 422),
    ("POST", "/servers/nobody/chains", {"count": 10**30}, 422),
    ("POST", "/servers/nobody/sessions", {"ttl_s": 0}, 422),
    ("POST", "/servers/nobody/sessions", {}, 404),
    ("POST", "/sessions/x/calls", {"name": "a"}, 422),
    ("POST", f"/sessions/ts_{'0' * 32}/calls", {"name": "a", "timeout_s": 1e9}, 422),
    ("DELETE", "/sessions/x", None, 422),
]  # fmt: skip


async def test_bad_requests(client: httpx2.AsyncClient) -> None:
    for method, path, body, status in BAD_REQUESTS:
        reply = await client.request(method, path, json=body)
        assert reply.status_code == status, f"{method} {path} {body}: {reply.text}"
        assert set(reply.json()) >= {"error", "detail"}


async def test_a_proposal_between_unknown_tools(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    await client.post("/servers", json=rogue("plain"))
    for target in ("nothing", "echo"):
        body = {"proposed": [{"source": "echo", "target": target}]}
        reply = await client.post("/servers/plain/graph", json=body)
        assert reply.status_code == 422
        assert "proposed[0]" in reply.json()["detail"]
    lone = await client.post("/servers/plain/chains", json={})
    assert (lone.status_code, "no edges" in lone.json()["detail"]) == (422, True)
    single = await client.post("/servers/plain/chains", json={"min_length": 1})
    assert single.json()["items"] == [{"server_id": "plain", "tools": ["echo"], "weight": 1.0}]


async def test_ready_and_counted(client: httpx2.AsyncClient, rogue: Callable[..., Body]) -> None:
    assert (await client.get("/readyz")).json()["checks"] == {"database": "ok", "commands": "ok"}
    await client.post("/servers", json=rogue("plain"))
    session = (await client.post("/servers/plain/sessions", json={})).json()["id"]
    await client.post(f"/sessions/{session}/calls", json={"name": "echo"})
    metrics = (await client.get("/metrics")).text
    assert "astra_tool_sessions 1.0" in metrics
    assert 'astra_tool_calls_total{outcome="ok",server_id="plain"} 1.0' in metrics
