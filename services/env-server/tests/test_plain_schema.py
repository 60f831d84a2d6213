"""The quick yes never says yes to what the library refuses, and says it to what is plain."""

import itertools
from typing import Any

import pytest
from astra_env_server.arenas.plain_schema import PlainSchema
from jsonschema import Draft202012Validator

SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": kind}}, **more}
    for kind in ("string", "integer", "number", "boolean")
    for more in ({}, {"required": ["a"]}, {"additionalProperties": False}, {"required": ["a"], "title": "T"})
] + [
    {"type": "object", "properties": {}},
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "y"]}}},
    {"type": "object", "properties": {"a": {"type": "integer", "enum": ["x"]}}},
    {"type": "object", "properties": {"a": {"type": "integer", "description": "d"}, "b": {"type": "string"}}},
]
VALUES: list[Any] = [None, "", "x", "z", 0, 1, -1, 1.0, 1.5, True, False, [], ["x"], {}, 2**80]
ARGUMENTS = [{}, *({"a": v} for v in VALUES), *({"a": a, "b": b} for a, b in itertools.product(VALUES, ["x", 1]))]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_quick_yes_is_a_yes(schema: dict[str, Any]) -> None:
    plain = PlainSchema.read(schema)
    assert plain is not None
    validator = Draft202012Validator(schema)
    known = set(schema.get("properties", {}))
    for arguments in ARGUMENTS:
        fits = validator.is_valid(arguments) and set(arguments) <= known
        if plain.fits(arguments):
            assert fits, arguments
        elif fits:
            assert arguments["a"] == 1.0, "only a whole number written as a fraction is left to the library"
            assert isinstance(arguments["a"], float)


@pytest.mark.parametrize(
    "each",
    [
        {"type": "string", "minLength": 2},
        {"type": ["string", "null"]},
        {"type": "array"},
        {"type": "object"},
        {"type": "null"},
        {"type": "integer", "minimum": 3},
        {"type": "number", "enum": [1, 2]},
        {"enum": ["x"]},
        {"const": 1},
        {"type": "string", "pattern": "^x"},
        {},
        True,
    ],
)
def test_what_asks_for_more_is_left_to_the_library(each: Any) -> None:
    assert PlainSchema.read({"type": "object", "properties": {"a": each}}) is None


@pytest.mark.parametrize(
    "more",
    [{"minProperties": 1}, {"anyOf": []}, {"type": "string"}, {"type": ["object"]}, {"required": ["b"]}, {"not": {}}],
)
def test_so_is_an_object_that_does(more: dict[str, Any]) -> None:
    assert PlainSchema.read({"type": "object", "properties": {"a": {"type": "string"}}, **more}) is None
