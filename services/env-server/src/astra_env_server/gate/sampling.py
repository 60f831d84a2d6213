"""Arguments that a schema allows: drawn at random, or made from golden ones by changing them."""

import datetime as dt
import math
import random
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from astra_env_server.arenas.arguments import ArgumentSchema, BadArguments

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TRIES = 12

Arguments = dict[str, JsonValue]


class NoSuchArguments(Exception):
    """Nothing was found that the schema allows."""


def sample(parameters: Mapping[str, Any], schema: ArgumentSchema, rng: random.Random) -> Arguments:
    """Random arguments that fit, or NoSuchArguments."""
    for _ in range(_TRIES):
        drawn = _draw({**parameters, "type": "object"}, rng)
        if isinstance(drawn, dict) and fits(schema, drawn):
            return drawn
    raise NoSuchArguments("no random arguments were found that its schema allows")


def perturb(golden: Arguments, parameters: Mapping[str, Any], schema: ArgumentSchema, rng: random.Random) -> Arguments:
    """The golden arguments with every value changed that can be, or NoSuchArguments."""
    properties = parameters.get("properties", {})
    for _ in range(_TRIES):
        changed = {name: change(value, properties.get(name, {}), rng) for name, value in golden.items()}
        if changed != golden and fits(schema, changed):
            return changed
    raise NoSuchArguments("no changed arguments were found that its schema allows")


def resembling(golden: Arguments, parameters: Mapping[str, Any], rng: random.Random) -> Arguments:
    """Arguments for another tool with as many golden values in them as there is place for."""
    left = dict(golden)
    filled: Arguments = {}
    required = parameters.get("required", [])
    for name, schema in parameters.get("properties", {}).items():
        if name in left:
            filled[name] = left.pop(name)
        elif name in required:
            alike = next((key for key, value in left.items() if _is_of(value, schema)), None)
            filled[name] = left.pop(alike) if alike is not None else _draw(schema, rng)
    return filled


def fits(schema: ArgumentSchema, arguments: Arguments) -> bool:
    """Whether the schema allows these."""
    try:
        schema.check(arguments)
    except BadArguments:
        return False
    return True


def _is_of(value: JsonValue, schema: Any) -> bool:
    """Whether a schema asks for a value of this kind. A whole number is a number."""
    wanted = schema.get("type") if isinstance(schema, dict) else None
    kinds = wanted if isinstance(wanted, list) else [wanted]
    kind = _kind(value)
    return kind in kinds or (kind == "integer" and "number" in kinds)


def _kind(value: JsonValue) -> str | None:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value))


def _draw(schema: Any, rng: random.Random) -> Any:
    if not isinstance(schema, dict):
        return rng.randint(0, 99)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return rng.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _draw(rng.choice(schema[union]), rng)
    kind = schema.get("type", "string")
    kind = rng.choice([k for k in kind if k != "null"] or ["null"]) if isinstance(kind, list) else kind
    if kind == "object":
        properties, required = schema.get("properties", {}), schema.get("required", [])
        return {name: _draw(sub, rng) for name, sub in properties.items() if name in required or rng.random() < 0.5}
    if kind == "array":
        fewest = int(schema.get("minItems", 1))
        count = min(rng.randint(fewest, max(fewest, min(int(schema.get("maxItems", 3)), fewest + 2))), 32)
        return [_draw(schema.get("items", {"type": "string"}), rng) for _ in range(count)]
    return _draw_scalar(str(kind), schema, rng)


def _draw_scalar(kind: str, schema: Mapping[str, Any], rng: random.Random) -> JsonValue:
    if kind == "boolean":
        return rng.random() < 0.5
    if kind in ("integer", "number"):
        return _number(kind == "integer", schema, rng)
    if kind == "null":
        return None
    if schema.get("format") == "date":
        return (dt.date(2020, 1, 1) + dt.timedelta(days=rng.randrange(3_000))).isoformat()
    length = min(max(int(schema.get("minLength", 0)), min(int(schema.get("maxLength", 10)), rng.randint(4, 10))), 1_000)
    return "".join(rng.choices(string.ascii_lowercase, k=length))


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    """The numbers that a schema allows; where it says nothing, a thousand of them."""
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    low = least if least is not None else min(0, most - 1_000) if most is not None else 0
    return low, max(low, most if most is not None else low + 1_000)


def _number(whole: bool, schema: Mapping[str, Any], rng: random.Random) -> float:
    low, high = _bounds(schema)
    step = schema.get("multipleOf") or (1 if whole else None)
    if step is None:
        return round(rng.uniform(low, high), 2)
    first = math.ceil(low / step) + ("exclusiveMinimum" in schema)
    last = math.floor(high / step) - ("exclusiveMaximum" in schema)
    drawn = rng.randint(first, max(first, last)) * step
    return int(drawn) if whole else round(drawn, 9)


def _within(number: float, schema: Mapping[str, Any]) -> bool:
    step = schema.get("multipleOf")
    return (
        number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and number > schema.get("exclusiveMinimum", number - 1)
        and number < schema.get("exclusiveMaximum", number + 1)
        and (step is None or math.isclose(number / step, round(number / step)))
    )


def change(value: Any, schema: Any, rng: random.Random) -> Any:
    """Another value of the same make; the same one where the schema allows no other."""
    schema = schema if isinstance(schema, dict) else {}
    if "const" in schema:
        return value
    if others := [member for member in schema.get("enum", []) if member != value]:
        return rng.choice(others)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        others = [n for n in _other_numbers(value, schema, rng) if n != value and _within(n, schema)]
        return rng.choice(others) if others else value
    if isinstance(value, str):
        return _other_text(value, rng)
    if isinstance(value, list):
        return [change(item, schema.get("items", {}), rng) for item in value]
    if isinstance(value, dict):
        return {key: change(item, schema.get("properties", {}).get(key, {}), rng) for key, item in value.items()}
    return value


def _other_numbers(value: float, schema: Mapping[str, Any], rng: random.Random) -> Iterator[float]:
    """Far ones rather than near ones: a price band or a floor may rightly not see a small change."""
    whole = isinstance(value, int)
    yield from (value * 3 + 7, value * 7 + rng.randint(50, 500)) if whole else (value * 3.5 + 7.25, value * 7 + 61.5)
    for _ in range(4):
        yield _number(whole, schema, rng)


def _other_text(value: str, rng: random.Random) -> str:
    """A text of the same make: other days in a date, other digits in an identifier, other letters in a word."""
    if _DATE.fullmatch(value):
        try:
            return (dt.date.fromisoformat(value) + dt.timedelta(days=rng.randint(40, 400))).isoformat()
        except (ValueError, OverflowError):
            pass
    digits = any(char.isdigit() for char in value)

    def other(char: str) -> str:
        if digits:
            return rng.choice([d for d in string.digits[1:] if d != char]) if char.isdigit() else char
        pool = string.ascii_uppercase if char.isupper() else string.ascii_lowercase
        return rng.choice([letter for letter in pool if letter != char]) if char.isalpha() else char

    changed = "".join(map(other, value))
    return changed if changed != value else value + "x"
