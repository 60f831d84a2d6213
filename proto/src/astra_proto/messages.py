"""Chat messages, tool calls and tool definitions in the OpenAI shape that every agent and trainer speaks."""

from typing import Annotated, Any, Literal

from pydantic import Field

from astra_proto.base import Record


class FunctionCall(Record):
    """The name of the function and its arguments as the JSON text the model wrote, which may be no JSON at all."""

    name: str
    arguments: str


class ToolCall(Record):
    """One call of an assistant message."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class SystemMessage(Record):
    """Instructions that stand above the conversation."""

    role: Literal["system"] = "system"
    content: str


class UserMessage(Record):
    """What the user says."""

    role: Literal["user"] = "user"
    content: str


class AssistantMessage(Record):
    """What the model says, calls, or both."""

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Record):
    """What a tool returned, or the error it met, as text."""

    role: Literal["tool"] = "tool"
    tool_call_id: str
    name: str
    content: str


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class FunctionSpec(Record):
    """A function a model may call. No key beyond these three: serving stacks drop others, and prompts then differ."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolSpec(Record):
    """One entry of the ``tools`` list of a chat request."""

    type: Literal["function"] = "function"
    function: FunctionSpec
