"""The one chat format of every model trained here: ChatML turns, tools as JSON lines, Hermes tool calls.

SFT, RL and evaluation all write conversations with `render`, so a policy never meets a format it was not trained on.
Two properties hold by construction and are tested: what `render` writes for the first k messages is a prefix of what
it writes for all of them, and no text inside a message can forge a turn.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from astra_proto.messages import AssistantMessage, Message, SystemMessage, ToolCall, ToolMessage, ToolSpec

PAD = "<|pad|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
CALL_START = "<tool_call>"
CALL_END = "</tool_call>"
RESULT_START = "<tool_response>"
RESULT_END = "</tool_response>"
MARKERS = (PAD, TURN_START, TURN_END, CALL_START, CALL_END, RESULT_START, RESULT_END)
"""What a tokenizer must hold as single tokens."""

GENERATION_PROMPT = f"{TURN_START}assistant\n"
"""What a policy continues."""

_FORGED = re.compile("|".join(map(re.escape, MARKERS)))


@dataclass(frozen=True)
class Span:
    """A piece of a rendered conversation. ``trained`` is true of what the assistant wrote, its turn's end included."""

    text: str
    trained: bool = False


def render(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Span]:
    """A conversation as text, in pieces. Pieces are tokenised one by one, so that a mask can be exact."""
    spans: list[Span] = []
    for position, message in enumerate(messages):
        if position == 0:
            system = message.content if isinstance(message, SystemMessage) else ""
            spans += _turn("system", _with_tools(system, tools)) if system or tools else []
            if isinstance(message, SystemMessage):
                continue
        spans += _message(message)
    return spans


def render_results(messages: Sequence[Message]) -> list[Span]:
    """What follows an assistant turn that the policy itself wrote, up to where it writes the next."""
    return [Span("\n"), *(span for message in messages for span in _message(message)), Span(GENERATION_PROMPT)]


def normalise(tool: ToolSpec) -> dict[str, Any]:
    """The three keys of a tool that every serving stack keeps."""
    return {
        "name": tool.function.name,
        "description": tool.function.description,
        "parameters": tool.function.parameters,
    }


def call_text(call: ToolCall) -> str:
    """A tool call in Hermes form. Arguments that are no JSON are kept as they were written."""
    try:
        arguments = _compact(json.loads(call.function.arguments))
    except ValueError:
        arguments = call.function.arguments
    body = _plain(f'{{"name": {json.dumps(call.function.name)}, "arguments": {arguments}}}')
    return f"{CALL_START}\n{body}\n{CALL_END}"


def _message(message: Message) -> list[Span]:
    if isinstance(message, AssistantMessage):
        parts = [_plain(message.content)] if message.content else []
        parts += [call_text(call) for call in message.tool_calls or []]
        return [Span(GENERATION_PROMPT), Span("\n".join(parts) + TURN_END, trained=True), Span("\n")]
    if isinstance(message, ToolMessage):
        return _turn("tool", f"{RESULT_START}\n{_plain(message.content)}\n{RESULT_END}")
    return _turn(message.role, _plain(message.content))


def _turn(role: str, body: str) -> list[Span]:
    return [Span(f"{TURN_START}{role}\n{body}{TURN_END}\n")]


def _with_tools(system: str, tools: Sequence[ToolSpec]) -> str:
    parts = [_plain(system)] if system else []
    if tools:
        lines = [_plain(_compact(normalise(tool))) for tool in tools]
        parts.append("\n".join(["# Tools", "<tools>", *lines, "</tools>"]))
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    """The text with the first character of our markers made a look-alike: nothing in it begins or ends a turn."""
    return _FORGED.sub(lambda found: "‹" + found.group()[1:], text)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
