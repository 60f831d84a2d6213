"""Tools of one name: made one, or given names of their own, so that an agent never has to guess."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from astra_proto.arenas import Arena, ArenaTool, GoldenCall
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace
from astra_service.client import ApiClient
from astra_synth_worker.arenas.merge import merged
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.llm.base import Completion, Prompt

from .conftest import Contexts

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(env_server: str) -> AsyncIterator[ApiClient]:
    async with ApiClient(env_server) as opened:
        yield opened


def part(number: int, rows: dict[str, str], name: str = "look", parameter: str = "x") -> Part:
    parameters = {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
    code = f"def {name}({parameter}: str) -> dict:\n    return {{'v': {rows!r}[{parameter}]}}\n"
    tool = ArenaTool(name=name, description="It looks.", parameters=parameters, code=code)
    return Part(id=number, tool=tool, call=GoldenCall(name=name, arguments={parameter: f"key{number}"}))


def trace(*numbers: int) -> QATrace:
    subs = [{"id": i, "question": f"q{i}", "answer": f"Answer{i}"} for i in numbers]
    return QATrace.model_validate({"domain": "d", "question": "q", "final_answer": "f", "subquestions": subs})


ONE, TWO = {"key1": "Answer1"}, {"key2": "Answer2"}


async def test_equal_tools_become_one(client: ApiClient) -> None:
    parts = [part(1, ONE | TWO), part(2, ONE | TWO)]
    assert await merged(client, trace(1, 2), parts) == (parts, [])


@pytest.mark.parametrize("knows_all", [1, 2])
async def test_the_one_that_knows_about_all_is_taken_for_all(client: ApiClient, knows_all: int) -> None:
    parts = [part(1, ONE | (TWO if knows_all == 1 else {})), part(2, TWO | (ONE if knows_all == 2 else {}))]
    unique, refused = await merged(client, trace(1, 2), parts)
    assert refused == []
    assert [p.tool for p in unique] == [parts[knows_all - 1].tool] * 2


async def test_where_none_knows_about_all_the_later_one_is_told_to(client: ApiClient) -> None:
    parts = [part(1, ONE), part(2, TWO), part(3, {"key3": "Answer3"}, "other")]
    unique, (refused,) = await merged(client, trace(1, 2, 3), parts)
    assert [p.id for p in unique] == [1, 3]
    assert (refused.part.id, refused.reason, refused.keeps_document) == (2, "tool_clash", True)
    assert "{'x': 'key1'} -> 'Answer1'" in refused.detail
    assert parts[0].tool.code in refused.detail


async def test_tools_that_take_different_things_get_names_of_their_own(client: ApiClient) -> None:
    parts = [part(1, ONE), part(2, TWO, parameter="y"), part(3, {"key3": "Answer3"}, "look_3")]
    unique, refused = await merged(client, trace(1, 2, 3), parts)
    assert refused == []
    assert [p.tool.name for p in unique] == [p.call.name for p in unique] == ["look", "look_2", "look_3"]
    assert "def look_2(y: str)" in unique[1].tool.code


async def test_a_name_that_cannot_be_changed_in_its_code_is_to_be_chosen_anew(client: ApiClient) -> None:
    stubborn = part(2, TWO, parameter="y")
    code = "def look(y: str) -> dict:\n    return {'v': {'key2': 'Answer2'}[y], 'n': len.look if 0 else 1}\n"
    stubborn = stubborn.model_copy(update={"tool": stubborn.tool.model_copy(update={"code": code})})
    unique, (refused,) = await merged(client, trace(1, 2), [part(1, ONE), stubborn])
    assert [p.id for p in unique] == [1]
    assert (refused.reason, refused.keeps_document) == ("name_clash", False)


TABLES = {"Ada": "Osprey", "Ben": "Heron", "Cleo": "Kestrel", "Dov": "Plover", "Eva": "Avocet"}


class TwoOfAKind:
    """A model that is asked for two boats, writes a tool for each, and one for both when it is told to."""

    name = "two-of-a-kind"

    def __init__(self) -> None:
        self.told: list[str] = []

    async def complete(self, prompt: Prompt) -> Completion:
        return Completion(content=json.dumps(self._reply(prompt)))

    def _reply(self, prompt: Prompt) -> Any:
        match prompt.name:
            case "qa_trace":
                pairs = ((1, "Ada"), (2, "Ben"))
                asked = [{"id": i, "question": f"Which boat has {n}?", "answer": TABLES[n]} for i, n in pairs]
                both = {"question": "Which boats have Ada and Ben?", "final_answer": ["Osprey", "Heron"]}
                return {**both, "subquestions": asked}
            case "tool_document":
                parameters = {"type": "object", "properties": {"sailor": {"type": "string"}}, "required": ["sailor"]}
                return {"name": "find_boat", "description": "The boat of a sailor.", "parameters": parameters}
            case "tool_call":
                return {"arguments": {"sailor": "Ada" if prompt.variables["id"] == 1 else "Ben"}}
            case "tool_code":
                if prompt.variables["earlier"] is not None:
                    self.told.append(prompt.variables["earlier"].problem)
                other = "Ben" if prompt.variables["id"] == 1 else "Ada"
                rows = {k: v for k, v in TABLES.items() if k != other or self.told}
                return {"code": f"def find_boat(sailor: str) -> dict:\n    return {{'boat': {rows!r}[sailor]}}\n"}
        return {"tools": []}


async def test_a_model_that_wrote_two_is_asked_for_one(contexts: Contexts) -> None:
    job, llm = ArenaJob(domain="sailing"), TwoOfAKind()
    context = await contexts(job, llm)
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert outcome.result["rounds"] == 2
    assert [tool.name for tool in arena.spec.tools] == ["find_boat"]
    assert [task.tool for task in arena.spec.subtasks] == ["find_boat", "find_boat"]
    (told,) = llm.told
    assert told.startswith("tool_clash")
    assert "'Osprey'" in told
