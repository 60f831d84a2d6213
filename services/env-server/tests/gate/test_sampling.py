"""Arguments that a schema allows."""

import random
from typing import Any

import pytest
from astra_env_server.arenas.arguments import ArgumentSchema
from astra_env_server.gate.sampling import NoSuchArguments, fits, perturb, resembling, sample
from hypothesis import given
from hypothesis import strategies as st

PROPERTIES: dict[str, tuple[dict[str, Any], Any]] = {
    "text": ({"type": "string"}, "Paris"),
    "identifier": ({"type": "string", "minLength": 4, "maxLength": 12}, "ORD-1001"),
    "date": ({"type": "string", "format": "date"}, "2024-02-29"),
    "whole": ({"type": "integer", "minimum": 1, "maximum": 9}, 3),
    "multiple": ({"type": "integer", "multipleOf": 5}, 10),
    "real": ({"type": "number"}, 2.5),
    "flag": ({"type": "boolean"}, True),
    "choice": ({"enum": ["a", "b", 3]}, "a"),
    "names": ({"type": "array", "items": {"type": "string"}, "minItems": 1}, ["x", "y"]),
    "nested": ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, {"n": 4}),
    "either": ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "seven"),
    "nullable": ({"type": ["string", "null"]}, "x"),
    "anything": ({}, "x"),
}

names = st.lists(st.sampled_from(sorted(PROPERTIES)), min_size=1, max_size=5, unique=True)


def made(chosen: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    schema = {"type": "object", "properties": {n: PROPERTIES[n][0] for n in chosen}, "required": chosen}
    return schema, {n: PROPERTIES[n][1] for n in chosen}


@given(names, st.integers(0, 10_000))
def test_what_is_sampled_and_perturbed_fits(chosen: list[str], seed: int) -> None:
    parameters, golden = made(chosen)
    schema = ArgumentSchema(parameters)
    assert fits(schema, golden)
    assert fits(schema, sample(parameters, schema, random.Random(seed)))
    changed = perturb(golden, parameters, schema, random.Random(seed))
    assert fits(schema, changed)
    assert all(changed[name] != golden[name] for name in chosen)


@given(names, st.integers(0, 10_000))
def test_the_same_seed_gives_the_same_arguments(chosen: list[str], seed: int) -> None:
    parameters, golden = made(chosen)
    schema = ArgumentSchema(parameters)
    assert sample(parameters, schema, random.Random(seed)) == sample(parameters, schema, random.Random(seed))
    assert perturb(golden, parameters, schema, random.Random(seed)) == perturb(
        golden, parameters, schema, random.Random(seed)
    )


def test_identifiers_keep_their_letters_and_words_their_length() -> None:
    parameters, golden = made(["identifier", "text"])
    changed = perturb(golden, parameters, ArgumentSchema(parameters), random.Random(0))
    assert str(changed["identifier"]).startswith("ORD-")
    assert len(str(changed["text"])) == len("Paris")


@pytest.mark.parametrize("schema", [{"const": 5}, {"enum": [5]}])
def test_what_cannot_be_changed_is_said_so(schema: dict[str, Any]) -> None:
    parameters = {"type": "object", "properties": {"n": schema}, "required": ["n"]}
    with pytest.raises(NoSuchArguments):
        perturb({"n": 5}, parameters, ArgumentSchema(parameters), random.Random(0))


def test_golden_values_go_where_their_name_or_type_fits() -> None:
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["city", "count"],
    }
    assert resembling({"amount": 7, "city": "Rome"}, parameters, random.Random(0)) == {"city": "Rome", "count": 7}


def test_a_tool_that_wants_numbers_is_asked_with_whole_ones_as_well() -> None:
    parameters = {"properties": {"least": {"type": "number"}, "of": {"type": ["string", "null"]}}}
    parameters["required"] = [*parameters["properties"]]
    golden: dict[str, Any] = {"open": True, "score": 8, "town": "Paris"}
    assert resembling(golden, parameters, random.Random(1)) == {"least": 8, "of": "Paris"}
