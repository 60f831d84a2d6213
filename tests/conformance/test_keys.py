"""A key is worth the same over each protocol: what is not there for its holder over HTTP is not there at all."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from websockets.sync.client import connect

from tests.bench import servers

from .conftest import LIBRARY, LOAN

ROOT = {"Authorization": "Bearer r00t"}


class Keyed:
    """A server that asks for keys, with an arena."""

    def __init__(self, port: int) -> None:
        self.url, self.ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        made = self.post("/arenas", json.loads(LIBRARY.read_text()), ROOT)
        self.arena_id = made.json()["id"]

    def post(self, path: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
        return httpx2.post(self.url + path, json=body, headers=headers, timeout=60)

    def key(self, role: str, tenant: str) -> dict[str, str]:
        """The header of a new key."""
        made = self.post("/keys", {"tenant": tenant, "role": role}, ROOT)
        assert made.status_code == 201, made.text
        return {"Authorization": f"Bearer {made.json()['key']}"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASTRA_ENV_SERVER_API_TOKEN", "r00t")
        with servers.env_server(folder, f"sqlite+aiosqlite:///{folder}/db.sqlite") as server:
            yield Keyed(server.port)


@pytest.mark.anyio
async def test_an_agent_plays_its_own_envs_and_no_others(keyed: Keyed) -> None:
    mine, other = keyed.key("agent", "a"), keyed.key("agent", "b")
    env_id = keyed.post("/envs", {"arena_id": keyed.arena_id}, mine).json()["id"]
    async with httpx2.AsyncClient(headers=mine) as http:
        for mode in ("legacy", "auto"):
            async with Client(
                streamable_http_client(f"{keyed.url}/envs/{env_id}/mcp", http_client=http), mode=mode
            ) as c:
                called = await c.call_tool(LOAN["name"], LOAN["arguments"])
                assert not called.is_error, called
    assert keyed.post(f"/envs/{env_id}/mcp", {}, other).status_code == 404
    with connect(f"{keyed.ws}/envs/{env_id}/ws", additional_headers=mine) as ws:
        ws.send('{"type":"state"}')
        assert json.loads(ws.recv())["data"]["step_count"] == 2
    with connect(f"{keyed.ws}/envs/{env_id}/ws", additional_headers=other) as ws:
        assert json.loads(ws.recv())["data"]["code"] == "SESSION_ERROR"


def test_a_connection_of_a_key_makes_and_ends_its_env(keyed: Keyed) -> None:
    agent = keyed.key("agent", "a")
    with connect(f"{keyed.ws}/arenas/{keyed.arena_id}/ws", additional_headers=agent) as ws:
        ws.send('{"type":"state"}')
        env_id = json.loads(ws.recv())["data"]["id"]
        assert httpx2.get(f"{keyed.url}/envs/{env_id}", headers=agent).status_code == 200
        ws.send('{"type":"close"}')
        with pytest.raises(Exception, match="1000"):
            ws.recv()
    while httpx2.get(f"{keyed.url}/envs/{env_id}", headers=agent).status_code != 404:
        pass


def test_a_batch_takes_a_trainer_and_a_trajectory_is_its_tenants_own(keyed: Keyed) -> None:
    agent, one, two = keyed.key("agent", "a"), keyed.key("trainer", "a"), keyed.key("trainer", "b")
    body = {
        "trajectory_ids": ["same"],
        "actions": [f"<tool_call>{json.dumps(LOAN)}</tool_call>"],
        "extra_fields": [{"arena_id": keyed.arena_id}],
    }
    assert keyed.post("/gym/get_observation", body, agent).status_code == 403
    for trainer in (one, two):
        told = keyed.post("/gym/get_observation", body, trainer).json()
        assert told["valids"] == [True]
        assert told["observations"][0]["info"]["step_index"] == 1
