"""Playbooks: any chain of their tools becomes a plan that can work, and any schema a call that fits."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from astra_synth_worker.llm.base import Prompt
from astra_synth_worker.trajectories.offline.agent import write_request
from astra_synth_worker.trajectories.playbooks import BOOKS
from astra_synth_worker.trajectories.playbooks.generic import book_for, sample
from astra_synth_worker.trajectories.playbooks.moves import Playbook, failed, plan, read
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator


@st.composite
def chains(draw: st.DrawFn) -> tuple[Playbook, list[str]]:
    book = draw(st.sampled_from(BOOKS))
    return book, draw(st.lists(st.sampled_from(sorted(book.tools())), min_size=1, max_size=8))


def in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    left = iter(found)
    return all(tool in left for tool in wanted)


@given(chains(), st.integers(0, 1_000))
def test_a_plan_holds_the_chain_and_what_each_step_needs(chosen: tuple[Playbook, list[str]], seed: int) -> None:
    book, chain = chosen
    steps = plan(book, chain, Random(seed))
    assert in_order(chain, [step.move.tool for step in steps])
    holds: set[str] = set()
    for step in steps:
        assert set(step.move.needs) <= holds
        holds = (holds - set(step.move.takes)) | set(step.move.gives)
        assert "{" not in step.ask
    assert steps == plan(book, chain, Random(seed))


@given(chains(), st.integers(0, 1_000))
def test_a_request_names_no_tool(chosen: tuple[Playbook, list[str]], seed: int) -> None:
    book, chain = chosen
    tools = [{"name": name, "description": "", "parameters": {}} for name in sorted(book.tools())]
    variables = {"server": {"id": book.server}, "tools": tools, "chain": chain, "seed": seed}
    text = str(write_request(Prompt("task_for_chain", variables)).content)
    assert not [name for name in book.tools() if "_" in name and name in text.partition('"target_tools"')[0]]


SCALARS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "maxLength": 5},
    {"type": "integer", "minimum": 5, "maximum": 7},
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "boolean"},
    {"enum": ["a", "b"]},
    {"const": 3},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"type": ["integer", "null"]},
]
SCHEMAS = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 2}, inner),
        st.builds(
            lambda one, two: {"type": "object", "properties": {"name": one, "x": two}, "required": ["name"]},
            inner,
            inner,
        ),
    ),
    max_leaves=3,
)


@given(SCHEMAS, st.integers(0, 100))
def test_a_sampled_value_fits_its_schema(schema: dict[str, Any], seed: int) -> None:
    Draft202012Validator(schema).validate(sample(schema, "thing", Random(seed)))


def test_what_cannot_be_sampled_is_said() -> None:
    endless: dict[str, Any] = {"type": "object", "required": ["a"], "properties": {}}
    endless["properties"]["a"] = endless
    for wrong in (endless, {"type": "tuple"}):
        with pytest.raises(ValueError, match=r"schema|type"):
            sample(wrong, "thing", Random(0))


def test_an_unknown_server_gets_calls_from_its_schemas() -> None:
    tools = [
        {"name": "make_thing", "description": "Makes {one}_thing. Really.",
         "parameters": {"properties": {"name": {"type": "string"}}, "required": ["name"]}},
        {"name": "get_thing", "description": "",
         "parameters": {"properties": {"thing_id": {"type": "string"}}, "required": ["thing_id"]}},
    ]  # fmt: skip
    first, second = plan(book_for("s", tools), ["make_thing", "get_thing"], Random(1))
    assert first.move.arguments(first.facts, {})["name"] in first.ask
    learned = first.move.learns({"id": "th_1", "name": "x"})
    assert second.move.arguments(second.facts, learned) == {"thing_id": "th_1"}
    assert "th_1" in second.move.says(second.facts, {"id": "th_1"})


@pytest.mark.parametrize(
    ("text", "value", "error"),
    [
        ('{"a": 1}', {"a": 1}, False),
        ("[{'a': None}]", [{"a": None}], False),
        ("plain", "plain", False),
        ('{"error": {"code": "x"}}', {"error": {"code": "x"}}, True),
        ("Database error: no such column: x", "Database error: no such column: x", True),
        ("(" * 5_000, "(" * 5_000, False),
    ],
)
def test_results_are_read_as_what_they_are(text: str, value: Any, error: bool) -> None:
    assert read(text) == value
    assert failed(read(text)) is error
