"""The episode runner against a real env-server, and one that is taken away or stumbles."""

import asyncio
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import httpx2
import pytest
from astra_service.client import ApiClient
from astra_trainer.rollout.episodes import Completion, EpisodeRequest, EpisodeRunner, Limits, StopReason

from .letters import Letters

pytestmark = pytest.mark.anyio
LETTERS = Letters()
LIMITS = Limits(max_turns=4, max_new_tokens=400, max_context=4_000)


def said(text: str) -> Completion:
    ids = LETTERS.encode(text)
    return Completion(ids, [-0.5] * len(ids))


def call(door: str) -> str:
    return f'<tool_call>\n{{"name": "code_of_door", "arguments": {{"door": "{door}"}}}}\n</tool_call>'


async def golden(contexts: list[list[int]], _limit: int) -> list[Completion]:
    """Asks for every door that the question names."""
    texts = [LETTERS.decode(ids) for ids in contexts]
    return [said("\n".join(map(call, re.findall(r"the (\w+) door", text))) + "<|im_end|>") for text in texts]


def always(text: str) -> Callable[..., Any]:
    async def generate(contexts: list[list[int]], _limit: int) -> list[Completion]:
        return [said(text) for _ in contexts]

    return generate


async def arenas(client: ApiClient) -> list[str]:
    reply = await client._http.get("/arenas", params={"split": "train"})
    return [item["id"] for item in reply.json()["items"]]


async def open_envs(url: str) -> int:
    async with httpx2.AsyncClient(base_url=url) as client:
        return int((await client.get("/capacity")).json()["envs"])


async def test_golden_calls_earn_everything(env_server: Any) -> None:
    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest(arena_id, seed) for arena_id in await arenas(client) for seed in (0, 1)]
        episodes = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, golden)
    assert [e.request for e in episodes] == requests
    assert {(e.f1, e.stop, e.failure, e.turns) for e in episodes} == {(1.0, StopReason.SOLVED, "", 1)}
    for episode in episodes:
        assert len(episode.ids) == len(episode.trained) == len(episode.logprobs)
        written = [i for i, trained in zip(episode.ids, episode.trained, strict=True) if trained]
        assert LETTERS.decode(written).startswith("<tool_call>")
        assert not any(episode.trained[: episode.prompt_length])
    assert await open_envs(env_server.url) == 0


@pytest.mark.parametrize(
    ("text", "stop", "calls"),
    [
        ("I do not know.<|im_end|>", StopReason.ANSWERED, 0),
        ("<tool_call>code_of_door(red)</tool_call><|im_end|>", StopReason.MAX_TURNS, 4),
        ('<tool_call>{"name": "no_such_tool", "arguments": {}}</tool_call><|im_end|>', StopReason.MAX_TURNS, 4),
        ('<tool_call>{"name": "code_of_door", "arguments": {"door": 5}', StopReason.TURN_TOO_LONG, 1),
    ],
)
async def test_a_bad_policy_is_scored_and_its_calls_count(
    env_server: Any, text: str, stop: StopReason, calls: int
) -> None:
    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest((await arenas(client))[0])]
        (episode,) = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, always(text))
    assert (episode.f1, episode.stop, episode.calls, episode.failure) == (0.0, stop, calls, "")


async def test_an_episode_ends_before_its_context_is_full(env_server: Any) -> None:
    limits = Limits(max_turns=30, max_new_tokens=100, max_context=1_200)
    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest((await arenas(client))[0])]
        (episode,) = await EpisodeRunner(client, LETTERS, limits).play(requests, always(call("gold") + "<|im_end|>"))
    assert episode.stop is StopReason.CONTEXT_FULL
    assert len(episode.ids) <= 1_200


class Stumbling(httpx2.AsyncBaseTransport):
    """A network on which now and then a request or its answer is lost, or the server says it is not available."""

    def __init__(self, seed: int, share: float) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._random, self._share = Random(seed), share

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        luck = self._random.random() / self._share
        if request.method == "GET" or luck >= 1:
            return await self._inner.handle_async_request(request)
        if luck < 0.4:
            body = json.dumps({"error": "Unavailable", "detail": "stumbled"})
            return httpx2.Response(503, content=body.encode(), request=request)
        if luck < 0.7:
            raise httpx2.ReadError("stumbled on the way there", request=request)
        if request.method == "POST" and request.url.path == "/envs":
            return await self._inner.handle_async_request(request)  # an env nobody knows of is left to its time limit
        await (await self._inner.handle_async_request(request)).aread()
        raise httpx2.ReadError("stumbled on the way back", request=request)


async def test_a_stumbling_network_loses_no_env_and_no_reward(env_server: Any) -> None:
    async with ApiClient(env_server.url, transport=Stumbling(1, 0.2), retries=3) as client:
        requests = [EpisodeRequest(arena_id, seed) for arena_id in await arenas(client) for seed in range(3)]
        episodes = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, golden)
    sound = [e for e in episodes if not e.failure]
    assert len(sound) >= len(episodes) * 0.8
    assert {(e.f1, e.stop) for e in sound} == {(1.0, StopReason.SOLVED)}
    assert await open_envs(env_server.url) == 0


async def test_a_server_that_is_killed_is_nobodys_zero(serve_envs: Any) -> None:
    server = serve_envs()
    turns = 0

    async def generate(contexts: list[list[int]], _limit: int) -> list[Completion]:
        nonlocal turns
        turns += 1
        if turns == 2:
            server.kill()
        return [said(call("gold") + "<|im_end|>") for _ in contexts]

    async with ApiClient(server.url, retries=1) as client:
        requests = [EpisodeRequest(arena_id) for arena_id in await arenas(client)]
        episodes = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, generate)
    assert {e.stop for e in episodes} == {StopReason.INFRA}
    assert all("does not answer" in e.failure and e.tries == LIMITS.tries for e in episodes)


async def test_an_env_server_that_is_full_is_waited_for(serve_envs: Any) -> None:
    server = serve_envs(MAX_ENVS="2")
    async with ApiClient(server.url, retries=0) as client:
        requests = [EpisodeRequest(arena_id, seed) for arena_id in await arenas(client) for seed in (0, 1)]
        episodes = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, golden)
    assert len(episodes) == 8
    assert {(e.f1, e.stop, e.tries) for e in episodes} == {(1.0, StopReason.SOLVED, 1)}


async def test_time_that_runs_out_is_no_score(env_server: Any) -> None:
    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest((await arenas(client))[0])]
        limits = Limits(wall_s=1e-6)
        (episode,) = await EpisodeRunner(client, LETTERS, limits).play(requests, golden)
    assert episode.stop is StopReason.WALL_CLOCK
    assert "not over after" in episode.failure


async def test_an_arena_that_does_not_exist_is_not_tried_again(env_server: Any) -> None:
    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest("ar_" + "0" * 32)]
        (episode,) = await EpisodeRunner(client, LETTERS, LIMITS).play(requests, golden)
    assert (episode.stop, episode.tries) == (StopReason.INFRA, 1)
    assert "NotFound" in episode.failure


@pytest.mark.parametrize("how", ["cancelled", "broken"])
async def test_envs_are_closed_whatever_happens_to_the_engine(env_server: Any, how: str) -> None:
    began = asyncio.Event()

    async def generate(contexts: list[list[int]], _limit: int) -> list[Completion]:
        began.set()
        if how == "broken":
            raise RuntimeError("out of memory")
        await asyncio.Event().wait()
        return []

    async with ApiClient(env_server.url) as client:
        requests = [EpisodeRequest(arena_id) for arena_id in await arenas(client)]
        playing = asyncio.create_task(EpisodeRunner(client, LETTERS, LIMITS).play(requests, generate))
        await began.wait()
        if how == "cancelled":
            assert await open_envs(env_server.url) == len(requests)
            playing.cancel()
        with pytest.raises((RuntimeError, asyncio.CancelledError)):
            await playing
    assert await open_envs(env_server.url) == 0
