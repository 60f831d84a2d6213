"""Lets a model behind an OpenAI-compatible endpoint play arenas, and counts what it solves."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from astra_proto.envs import Action, Call, CreateEnv, EnvView, ResetEnv, StepEnv
from astra_proto.episodes import Info, ResetReply, StepReply
from astra_proto.errors import AstraError, UpstreamFailed
from astra_proto.ids import ArenaId
from astra_proto.messages import AssistantMessage, FunctionCall, Message, ToolCall, ToolSpec
from astra_proto.solve_rates import Measured
from astra_service.client import ApiClient
from pydantic import BaseModel, ConfigDict, Field

MOST_CALLS = 64
"""Tool calls of one turn that are played; an env takes no more in a step."""
MOST_TEXT = 200_000
"""Longest text of a turn that is played."""


class ChatRequest(BaseModel):
    """What the endpoint is asked."""

    model: str
    messages: list[dict[str, object]]
    tools: list[ToolSpec]
    temperature: float
    seed: int


class _Function(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    arguments: str = "{}"


class _Called(BaseModel):
    model_config = ConfigDict(extra="ignore")
    function: _Function


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore")
    content: str | None = None
    tool_calls: list[_Called] | None = None


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: _Said


class ChatReply(BaseModel):
    """What it answers; what else it says is passed over."""

    model_config = ConfigDict(extra="ignore")

    choices: list[_Choice] = Field(min_length=1)


@dataclass(frozen=True)
class Model:
    """A model, and how it is asked."""

    endpoint: ApiClient
    name: str
    temperature: float
    max_turns: int


async def measure(
    envs: ApiClient, model: Model, arenas: Sequence[ArenaId], episodes: int, at_once: int, played: Callable[[], None]
) -> tuple[dict[ArenaId, Measured], int]:
    """What the model reaches in each arena, and how many episodes were lost to failures of an env, which do not count.

    Raises what the endpoint answers if it answers no more.
    """
    room = asyncio.Semaphore(at_once)
    failures: list[AstraError] = []

    async def one(arena_id: ArenaId, seed: int) -> tuple[ArenaId, Info] | None:
        async with room:
            if failures:  # those that are playing end, so that each closes its env; no other begins
                return None
            try:
                info = await play(envs, model, arena_id, seed)
            except AstraError as error:
                failures.append(error)
                return None
        played()
        return arena_id, info

    ended = await asyncio.gather(*(one(arena_id, seed) for arena_id in arenas for seed in range(episodes)))
    if failures:
        raise failures[0]
    found: dict[ArenaId, list[Info]] = {}
    lost = 0
    for arena_id, info in filter(None, ended):
        if info.reward_valid:
            found.setdefault(arena_id, []).append(info)
        else:
            lost += 1
    return {arena_id: _measured(infos) for arena_id, infos in found.items()}, lost


def _measured(infos: Sequence[Info]) -> Measured:
    solved = fmean(len(info.solved) == info.subtasks for info in infos)
    return Measured(episodes=len(infos), solve_rate=solved, f1=fmean(info.f1 for info in infos))


async def play(envs: ApiClient, model: Model, arena_id: ArenaId, seed: int) -> Info:
    """One episode, and how it stood at its end. The env is closed, whatever happens."""
    env = await envs.post("/envs", CreateEnv(arena_id=arena_id, seed=seed, max_steps=model.max_turns), EnvView)
    try:
        start = await envs.post(f"/envs/{env.id}/reset", ResetEnv(), ResetReply, repeatable=True)
        messages: list[Message] = [*start.observation.messages]
        info = start.info
        for turn in range(model.max_turns):
            said = await _turn(model, messages, start.observation.tools or [], seed)
            messages.append(said)
            step = StepEnv(action=_action(said), step_id=f"turn-{turn}")
            reply = await envs.post(f"/envs/{env.id}/step", step, StepReply, repeatable=True)
            messages += reply.observation.messages
            info = reply.info
            if reply.done or not info.reward_valid:
                break
        return info
    finally:
        await asyncio.shield(envs.delete(f"/envs/{env.id}"))


async def _turn(model: Model, messages: Sequence[Message], tools: list[ToolSpec], seed: int) -> AssistantMessage:
    request = ChatRequest(
        model=model.name,
        messages=[message.model_dump(mode="json", exclude_none=True) for message in messages],
        tools=tools,
        temperature=model.temperature,
        seed=seed,
    )
    try:
        reply = await model.endpoint.post("/chat/completions", request, ChatReply, repeatable=True)
    except AstraError as error:
        told = error.detail or f"status {error.status}"
        raise UpstreamFailed(f"the endpoint of {model.name} failed: {told}"[:1_000]) from None
    said = reply.choices[0].message
    made = [each.function for each in (said.tool_calls or [])[:MOST_CALLS]]
    turn = len(messages)
    calls = [
        ToolCall(
            id=f"call_{turn}_{number}", function=FunctionCall(name=_kept(f.name)[:256], arguments=_kept(f.arguments))
        )
        for number, f in enumerate(made)
    ]
    return AssistantMessage(content=_kept(said.content or "") or None, tool_calls=calls or None)


def _kept(text: str) -> str:
    """What of a model's text can be sent on."""
    return text.replace("\0", "")[:MOST_TEXT]


def _action(said: AssistantMessage) -> Action:
    calls = [
        Call(id=call.id, name=call.function.name, arguments=call.function.arguments) for call in said.tool_calls or []
    ]
    return Action(tool_calls=calls, content=said.content if calls or said.content else "")
