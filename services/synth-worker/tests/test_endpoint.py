"""A model behind an OpenAI-compatible endpoint, and what such endpoints can do to a client."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from astra_proto.messages import FunctionSpec, ToolSpec, UserMessage
from astra_synth_worker.llm.base import LLMFailed, Prompt
from astra_synth_worker.llm.openai import OpenAIModel
from astra_synth_worker.settings import Settings

pytestmark = pytest.mark.anyio

TOOL = ToolSpec(function=FunctionSpec(name="f", description="d", parameters={"type": "object", "properties": {}}))
TURN = Prompt(
    "agent_turn",
    {"server": {"id": "s", "title": "S", "description": ""}, "chain": [], "seed": 0},
    (UserMessage(content="hello"),),
    (TOOL,),
    temperature=0.3,
    seed=5,
)


async def test_a_turn_is_asked_in_full(endpoint: Any, model: OpenAIModel) -> None:
    endpoint.replies = [{"content": "hi", "calls": [("f", '{"a": 1}')]}]
    reply = await model.complete(TURN)
    assert (reply.content, reply.prompt_tokens, reply.completion_tokens, reply.truncated) == ("hi", 7, 3, False)
    assert reply.tool_calls[0].function.arguments == '{"a": 1}'
    (asked,) = endpoint.requests
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]
    assert asked["tools"] == [TOOL.model_dump(mode="json")]
    assert (asked["model"], asked["temperature"], asked["seed"]) == ("tiny", 0.3, 5)
    assert not asked.get("stream")
    assert endpoint.headers[0]["authorization"] == "Bearer sk-very-secret"


async def test_passing_failures_are_tried_again(endpoint: Any, model: OpenAIModel) -> None:
    endpoint.replies = [500, 429, {"content": "hi"}]
    assert (await model.complete(TURN)).content == "hi"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_lasting_failures_end_after_the_retries(endpoint: Any, model: OpenAIModel, status: int) -> None:
    endpoint.rule = lambda body: status
    with pytest.raises(LLMFailed, match=f"agent_turn: the endpoint answered {status}") as failure:
        await model.complete(TURN)
    assert len(endpoint.requests) == 3
    assert "sk-very-secret" not in repr(failure.value) + str(failure.value)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_not_tried_again(endpoint: Any, model: OpenAIModel, status: int) -> None:
    endpoint.rule = lambda body: status
    with pytest.raises(LLMFailed):
        await model.complete(TURN)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        "<html>bad gateway</html>",
        "",
        "null",
        "[]",
        "7",
        '{"choices": ',
        "{}",
        '{"choices": null}',
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": {"content": 7}}]}',
        '{"choices": [{"message": {"content": null, "tool_calls": [{}]}}]}',
        '{"choices": [{"message": {"content": null, "tool_calls": [{"function": {"name": null}}]}}]}',
        '{"choices": [{"message": {"content": null, "tool_calls": "f()"}}]}',
    ],
)
async def test_what_is_no_completion_is_a_failure(endpoint: Any, model: OpenAIModel, body: str) -> None:
    endpoint.rule = lambda request: body
    with pytest.raises(LLMFailed):
        await model.complete(TURN)


async def test_odd_but_readable_replies_are_read(endpoint: Any, model: OpenAIModel) -> None:
    message = {
        "content": "a\ud800\x00b",
        "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}},
            {"id": None, "function": {"name": "g", "arguments": None}},
        ],
    }
    endpoint.replies = [json.dumps({"choices": [{"message": message, "finish_reason": "length"}], "usage": "many"})]
    reply = await model.complete(TURN)
    assert reply.content == "a?b"
    assert reply.truncated
    assert [c.function.arguments for c in reply.tool_calls] == ['{"a": 1}', "{}"]
    assert reply.prompt_tokens == 0


async def test_a_silent_endpoint_times_out() -> None:
    async def silent(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        raise httpx2.ReadTimeout("no answer", request=request)

    settings = Settings(llm_model="tiny", llm_retries=0, llm_base_url="http://endpoint/v1")
    async with OpenAIModel.open(settings, httpx2.MockTransport(silent)) as model:
        with pytest.raises(LLMFailed, match="does not answer"):
            await model.complete(TURN)


async def test_no_more_calls_at_once_than_allowed() -> None:
    now = most = 0

    async def slow(request: httpx2.Request) -> httpx2.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return httpx2.Response(200, json={"choices": [{"message": {"content": "x"}}]})

    settings = Settings(llm_model="tiny", llm_concurrency=3, llm_base_url="http://endpoint/v1")
    async with OpenAIModel.open(settings, httpx2.MockTransport(slow)) as model:
        await asyncio.gather(*(model.complete(TURN) for _ in range(12)))
    assert most == 3


def test_the_key_is_not_shown() -> None:
    assert "sk-very-secret" not in repr(Settings(llm_api_key="sk-very-secret"))
