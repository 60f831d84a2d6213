"""An agent works on a task with the server's real tools (paper §3.1.4)."""

import asyncio
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog
from astra_proto.base import Record
from astra_proto.envs import ErrorClass
from astra_proto.errors import AstraError, Unavailable
from astra_proto.messages import (
    AssistantMessage,
    FunctionCall,
    FunctionSpec,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)  # fmt: skip
from astra_proto.tools import CallTool, CallToolReply, OpenSession, ToolServer, ToolSession
from astra_proto.trajectories import Task

from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import complete
from astra_synth_worker.llm.base import Completion, Prompt
from astra_synth_worker.llm.render import render
from astra_synth_worker.llm.text import answer_of, clean

log = structlog.get_logger()


class StopReason(StrEnum):
    """Why the agent's run ended."""

    ANSWERED = "answered"
    """It replied without calling a tool."""
    MAX_TURNS = "max_turns"
    """It has had all its turns."""
    MAX_CALLS = "max_calls"
    """It has made all its calls."""
    EMPTY_REPLY = "empty_reply"
    """It said nothing and called nothing."""
    CUT_OFF = "cut_off"
    """Its reply ran into the length limit."""


class CallOutcome(Record):
    """How one tool call went, in the order of the tool messages."""

    name: str
    ok: bool
    error_class: ErrorClass | None


class Rollout(Record):
    """The conversation, system message included, and what became of each call."""

    messages: list[Message]
    calls: list[CallOutcome]
    stop: StopReason


def tool_specs(server: ToolServer) -> list[ToolSpec]:
    """The server's tools as a model is given them."""
    return [
        ToolSpec(function=FunctionSpec(name=t.name, description=t.description, parameters=t.parameters))
        for t in server.tools
    ]


async def roll_out(task: Task, server: ToolServer, seed: int, context: Context) -> Rollout:
    """Play the task in a session of its own.

    The gateway is infrastructure: what fails there is raised, and the job is tried again. What fails in a tool, or in
    what the agent wrote, is an observation.
    """
    request = OpenSession(ttl_s=context.settings.session_ttl_s)
    session = await context.registry.post(f"/servers/{server.id}/sessions", request, ToolSession)
    try:
        return await _Run(task, server, seed, context, session.id).play()
    finally:
        await asyncio.shield(_close(context, session.id))


async def _close(context: Context, session_id: str) -> None:
    try:
        await context.registry.delete(f"/sessions/{session_id}")
    except AstraError as error:  # it expires by itself
        log.warning("session.close_failed", session_id=session_id, error=str(error)[:300])


@dataclass
class _Run:
    task: Task
    server: ToolServer
    seed: int
    context: Context
    session_id: str
    messages: list[Message] = field(default_factory=list)
    calls: list[CallOutcome] = field(default_factory=list)

    async def play(self) -> Rollout:
        self.messages.append(UserMessage(content=self.task.question))
        system = SystemMessage(content=render(self._prompt())[0]["content"])
        stop = await self._turns()
        return Rollout(messages=[system, *self.messages], calls=self.calls, stop=stop)

    def _prompt(self) -> Prompt:
        server = {"id": self.server.id, "title": self.server.title, "description": self.server.description}
        # The chain and the seed are for the offline teacher; the template shows a model neither.
        variables = {"server": server, "chain": self.task.chain, "seed": self.seed}
        tools = tuple(tool_specs(self.server))
        return Prompt("agent_turn", variables, tuple(self.messages), tools, temperature=0.7, seed=self.seed)

    async def _turns(self) -> StopReason:
        settings = self.context.settings
        for _ in range(settings.max_turns):
            completion = await complete(self.context.llm, self._prompt(), self.context.usage)
            content = clean(answer_of(completion.content or "")) or None
            if completion.truncated:
                return StopReason.CUT_OFF
            if not completion.tool_calls:
                if content is None:
                    return StopReason.EMPTY_REPLY
                self.messages.append(AssistantMessage(content=content))
                return StopReason.ANSWERED
            if len(self.calls) + len(completion.tool_calls) > settings.max_calls:
                return StopReason.MAX_CALLS
            calls = self._numbered(completion)
            self.messages.append(AssistantMessage(content=content, tool_calls=calls))
            for call in calls:
                reply = await self._call(call)
                self.calls.append(CallOutcome(name=call.function.name, ok=reply.ok, error_class=reply.error_class))
                self.messages.append(
                    ToolMessage(tool_call_id=call.id, name=call.function.name, content=self._observed(reply.output))
                )
        return StopReason.MAX_TURNS

    def _numbered(self, completion: Completion) -> list[ToolCall]:
        """The calls under ids of our own: a model's may be empty, repeated or different each time."""
        first = len(self.calls) + 1
        return [
            ToolCall(
                id=f"call_{number}",
                function=FunctionCall(name=clean(call.function.name), arguments=clean(call.function.arguments)),
            )
            for number, call in enumerate(completion.tool_calls, first)
        ]

    async def _call(self, call: ToolCall) -> CallToolReply:
        known = sorted(tool.name for tool in self.server.tools)
        if call.function.name not in known:
            return _policy_error(f"there is no tool {call.function.name[:100]!r}; the tools are {', '.join(known)}")
        arguments = _arguments(call.function.arguments)
        if arguments is None:
            return _policy_error("the arguments are not a JSON object")
        request = CallTool(name=call.function.name, arguments=arguments, timeout_s=self.context.settings.tool_timeout_s)
        try:
            reply = await self.context.registry.post(f"/sessions/{self.session_id}/calls", request, CallToolReply)
        except AstraError as error:
            if error.status in (400, 413, 422):  # the gateway would not pass on what the agent wrote
                return _policy_error(error.detail)
            raise
        if reply.error_class in (ErrorClass.INFRA, ErrorClass.CAPACITY):
            raise Unavailable(f"tool server {self.server.id!r} was lost during {request.name!r}: {reply.output[:500]}")
        return reply

    def _observed(self, output: str) -> str:
        text, most = clean(output), self.context.settings.observation_chars
        if len(text) > most:
            text = f"{text[:most]}\n[cut: {len(text) - most} more characters]"
        return text or "(no output)"


def _arguments(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return clean(value) if isinstance(value, dict) else None


def _policy_error(detail: str) -> CallToolReply:
    return CallToolReply(ok=False, output=f"Error: {detail}", error_class=ErrorClass.POLICY)
