"""Plays with OpenEnv's own client: ``openenv_episode.py URL MODE``, where the URL is that of an env or of an arena."""

import asyncio
import json
import sys
from typing import Any

from openenv.core.generic_client import GenericAction, GenericEnvClient

LOAN = {"type": "call_tool", "tool_name": "find_overdue_loan", "arguments": {"member_id": "M-2041"}}
FINE = {
    "type": "call_tool",
    "tool_name": "compute_late_fine",
    "arguments": {"days_late": 12, "membership": "standard"},
}


def told(result: Any) -> dict[str, Any]:
    return {
        "observation": result.observation,
        "reward": result.reward,
        "done": result.done,
        "metadata": result.metadata,
    }


async def refused(awaitable: Any) -> str:
    try:
        await awaitable
    except RuntimeError as error:
        return str(error)
    return "nothing was refused"


async def play(url: str) -> dict[str, Any]:
    """A whole episode, with everything that the client can send."""
    async with GenericEnvClient(base_url=url) as env:
        early = await refused(env.step(LOAN))
        reset = await env.reset(seed=7, episode_id="mine", split="train", label={"any": ["row"]})
        tools = await env.step({"type": "list_tools"})
        bad = await refused(env.step({"tool_calls": [{"name": 5}]}))
        unknown = await env.step({"type": "call_tool", "tool_name": "no_such_tool", "arguments": {}})
        first = await env.step(LOAN)
        state = await env.state()
        second = await env.step(GenericAction(**FINE))
        late = await refused(env.step(LOAN))
        again = await env.reset()
        native = await env.step(
            {"tool_calls": [{"id": "a", "name": "find_overdue_loan", "arguments": '{"member_id": "M-2041"}'}]}
        )
        answer = await env.step({"content": "4.20 euros"})
        return {
            "reset": told(reset), "tools": told(tools), "unknown": told(unknown), "first": told(first),
            "state": state, "second": told(second), "again": told(again), "native": told(native),
            "answer": told(answer), "refused": {"early": early, "bad": bad, "late": late},
        }  # fmt: skip


def play_in_step(url: str) -> dict[str, Any]:
    """The same client without asyncio."""
    with GenericEnvClient(base_url=url).sync() as env:
        env.reset()
        return {"rewards": [env.step(LOAN).reward, env.step(FINE).reward]}


async def go_on(url: str) -> dict[str, Any]:
    """Two connections, one after the other."""
    async with GenericEnvClient(base_url=url) as env:
        await env.reset()
        first = await env.step(LOAN)
    async with GenericEnvClient(base_url=url) as env:
        state = await env.state()
        second = await env.step(FINE)
    return {"rewards": [first.reward, second.reward], "state": state}


async def many(url: str) -> dict[str, Any]:
    """Sixteen episodes at once."""

    async def one() -> float:
        async with GenericEnvClient(base_url=url) as env:
            await env.reset()
            return float((await env.step(LOAN)).reward) + float((await env.step(FINE)).reward)

    return {"rewards": await asyncio.gather(*(one() for _ in range(16)))}


async def knock(url: str) -> dict[str, Any]:
    """What the client is told that finds nothing."""
    async with GenericEnvClient(base_url=url) as env:
        return {"refused": await refused(env.reset())}


async def with_token(url: str) -> dict[str, Any]:
    """A header with the connection."""
    headers = {"Authorization": f"Bearer {sys.argv[3]}"}
    async with GenericEnvClient(base_url=url, headers=headers) as env:
        await env.reset()
        reward = (await env.step(LOAN)).reward
    try:
        await GenericEnvClient(base_url=url).connect()
    except ConnectionError as error:
        return {"reward": reward, "refused": str(error)}
    return {"reward": reward, "refused": ""}


async def with_token_full(url: str) -> dict[str, Any]:
    """A header, and no room."""
    async with GenericEnvClient(base_url=url, headers={"Authorization": f"Bearer {sys.argv[3]}"}) as env:
        return {"refused": await refused(env.reset())}


if __name__ == "__main__":
    address, mode = sys.argv[1:3]
    found = play_in_step(address) if mode == "play_in_step" else asyncio.run(globals()[mode](address))
    print(json.dumps(found))
