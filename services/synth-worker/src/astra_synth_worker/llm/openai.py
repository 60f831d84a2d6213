"""A model behind any endpoint that speaks OpenAI's chat completions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
from astra_proto.messages import FunctionCall, ToolCall
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAIError
from pydantic import BaseModel, Field, ValidationError, field_validator

from astra_synth_worker.llm.base import Completion, LLMFailed, Prompt
from astra_synth_worker.llm.render import render
from astra_synth_worker.llm.text import clean
from astra_synth_worker.settings import Settings


class OpenAIModel:
    """One model at one endpoint, asked by at most ``llm_concurrency`` callers at once.

    Time-outs, 408, 409, 429 and 5xx are tried again with growing pauses, ``llm_retries`` times; then, and on every
    other failure, :class:`LLMFailed` says what the endpoint said. The key is in no message and no log.
    """

    def __init__(self, client: AsyncOpenAI, settings: Settings) -> None:
        self.name = settings.llm_model
        self._client = client
        self._limit = asyncio.Semaphore(settings.llm_concurrency)
        self._options: dict[str, Any] = {}
        if settings.llm_max_tokens is not None:
            self._options["max_tokens"] = settings.llm_max_tokens

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None
    ) -> AsyncIterator["OpenAIModel"]:
        """The model, with its connections open for the length of the block."""
        http = httpx2.AsyncClient(transport=transport, trust_env=False) if transport else None
        async with AsyncOpenAI(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key.get_secret_value() or "none",
            timeout=settings.llm_timeout_s,
            max_retries=settings.llm_retries,
            http_client=http,
        ) as client:
            yield cls(client, settings)

    async def complete(self, prompt: Prompt) -> Completion:
        """The model's reply to the rendered prompt."""
        request: dict[str, Any] = {
            "model": self.name,
            "messages": render(prompt),
            "temperature": prompt.temperature,
            "seed": prompt.seed,
            **self._options,
        }
        if prompt.tools:
            request["tools"] = [tool.model_dump(mode="json") for tool in prompt.tools]
        async with self._limit:
            try:
                reply = await self._client.chat.completions.create(**request)
            except APIStatusError as error:
                raise LLMFailed(f"{prompt.name}: the endpoint answered {error.status_code}: {_said(error)}") from None
            except APIConnectionError as error:
                cause = f"{type(error).__name__}: {error.__cause__ or error}"
                raise LLMFailed(f"{prompt.name}: the endpoint does not answer: {cause}") from None
            except (OpenAIError, ValidationError, ValueError) as error:
                raise LLMFailed(f"{prompt.name}: the endpoint's reply could not be read: {error}") from None
        return _read(prompt, reply)


def _said(error: APIStatusError) -> str:
    return str(clean(error.message))[:500]


def _read(prompt: Prompt, reply: Any) -> Completion:
    try:
        read = _Reply.model_validate(reply.model_dump(warnings=False))
    except (AttributeError, ValidationError) as error:
        raise LLMFailed(f"{prompt.name}: the endpoint's reply is no chat completion: {str(error)[:300]}") from None
    choice = read.choices[0]
    return Completion(
        content=clean(choice.message.content),
        tool_calls=tuple(call.read() for call in choice.message.tool_calls or ()),
        prompt_tokens=read.usage.prompt_tokens,
        completion_tokens=read.usage.completion_tokens,
        truncated=choice.finish_reason == "length",
    )


# What is needed of a reply, and no more: endpoints differ in the rest, and the SDK validates nothing.


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(BaseModel):
    id: str | None = None
    function: _Function

    def read(self) -> ToolCall:
        given = self.function.arguments
        text = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
        return ToolCall(id=self.id or "", function=FunctionCall(name=clean(self.function.name), arguments=clean(text)))


class _Message(BaseModel):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0


class _Reply(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage = _Usage()

    @field_validator("usage", mode="before")
    @classmethod
    def _counted_or_not(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {}
