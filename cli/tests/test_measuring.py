"""A model behind an endpoint plays arenas of a real env-server; the endpoint follows a rule or misbehaves."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from astra.measuring import Model, measure
from astra_env_server.app import create_app
from astra_env_server.settings import Settings
from astra_proto.arenas import Arena, ArenaSpec, PublishReply
from astra_proto.errors import UpstreamFailed
from astra_proto.tiers import Capacity
from astra_service.client import ApiClient
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
LIBRARY = Path(__file__).parents[2] / "services" / "env-server" / "examples" / "library.json"


@pytest.fixture
async def envs(tmp_path: Path) -> AsyncIterator[ApiClient]:
    app: Any = create_app(Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/env.db"))
    async with (
        app.router.lifespan_context(app),
        ApiClient("http://127.0.0.1", transport=httpx2.ASGITransport(app=app)) as client,
    ):
        yield client


@pytest.fixture
async def arena(envs: ApiClient) -> Arena:
    spec = ArenaSpec.model_validate_json(LIBRARY.read_bytes())
    published = await envs.post("/arenas", spec, PublishReply)
    return await envs.get(f"/arenas/{published.id}/full", Arena)


class Endpoint:
    """An endpoint that says one line of a script a turn, the last one for ever."""

    def __init__(self, *script: Any) -> None:
        self.script, self.requests, app = script, list[Json](), FastAPI()

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            body = await request.json()
            self.requests.append(body)
            said = sum(message["role"] == "assistant" for message in body["messages"])
            line = self.script[min(said, len(self.script) - 1)]
            if isinstance(line, int):
                return JSONResponse({"error": {"message": "no"}}, status_code=line)
            if isinstance(line, str):
                return Response(line, media_type="application/json")
            return JSONResponse({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", **line}}]})

        self.transport = httpx2.ASGITransport(app=app)

    async def measured(self, envs: ApiClient, arena: Arena, episodes: int = 1, max_turns: int = 6) -> Any:
        played: list[int] = []
        async with ApiClient("http://model/v1", "key", retries=0, transport=self.transport) as client:
            model = Model(client, "small", 0.5, max_turns)
            found, lost = await measure(envs, model, [arena.id], episodes, 2, lambda: played.append(1))
        assert (len(played), lost) == (episodes, 0)
        return found[arena.id]


def calling(*calls: tuple[str, Any]) -> Json:
    made = [
        {"id": "same", "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in calls
    ]
    return {"content": None, "tool_calls": made}


def golden(arena: Arena) -> list[Json]:
    return [calling((task.golden_call.name, json.dumps(task.golden_call.arguments))) for task in arena.spec.subtasks]


async def test_who_makes_the_golden_calls_solves_it_each_time(envs: ApiClient, arena: Arena) -> None:
    endpoint = Endpoint(*golden(arena))
    found = await endpoint.measured(envs, arena, episodes=3)
    assert (found.episodes, found.solve_rate, found.f1) == (3, 1.0, 1.0)
    first, *_, last = sorted(endpoint.requests, key=lambda each: len(each["messages"]))
    assert (first["model"], first["temperature"], first["seed"] in (0, 1, 2)) == ("small", 0.5, True)
    assert first["messages"] == [{"role": "user", "content": arena.spec.prompt}]
    assert {tool["function"]["name"] for tool in first["tools"]} >= {task.tool for task in arena.spec.subtasks}
    user, said, output = last["messages"]
    assert [each["role"] for each in (user, said, output)] == ["user", "assistant", "tool"]
    assert output["tool_call_id"] == said["tool_calls"][0]["id"]
    assert "days_late" in output["content"]


async def test_wasted_calls_cost_f1_and_half_of_it_is_no_solution(envs: ApiClient, arena: Arena) -> None:
    calls = golden(arena)
    wasteful = await Endpoint(calling(("no_such_tool", "{}"), (arena.spec.tools[0].name, "no JSON\0")), *calls[1:],
                              *calls[:1]).measured(envs, arena)  # fmt: skip
    assert (wasteful.solve_rate, wasteful.f1) == (1.0, pytest.approx(2 / 3)), "solved, with twice the calls"
    half = await Endpoint(calls[0], {"content": "I give up."}).measured(envs, arena)
    assert (half.solve_rate, half.f1) == (0.0, pytest.approx(2 / 3))
    silent = await Endpoint({"content": None}).measured(envs, arena)
    assert (silent.solve_rate, silent.f1) == (0.0, 0.0)


@pytest.mark.parametrize("said", [401, 500, "[]", '{"choices": []}', "no JSON"])
async def test_an_endpoint_that_fails_is_named_and_no_env_is_left(envs: ApiClient, arena: Arena, said: Any) -> None:
    with pytest.raises(UpstreamFailed, match="the endpoint of small"):
        await Endpoint(golden(arena)[0], said).measured(envs, arena, episodes=3)
    assert (await envs.get("/capacity", Capacity)).envs == 0
