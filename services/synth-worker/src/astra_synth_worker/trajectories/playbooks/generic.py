"""A playbook for a server that nobody wrote one for: calls sampled from the tools' schemas."""

import json
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from astra_synth_worker.trajectories.playbooks.moves import Facts, Learned, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import CITIES, ITEMS, TOPICS, person

MAX_DEPTH = 4


def book_for(server: str, tools: Sequence[Mapping[str, Any]]) -> Playbook:
    """Moves for tools given as ``name``, ``description`` and ``parameters``. They know of no order among the tools."""
    return Playbook(server, tuple(_move(tool) for tool in tools), {})


def sample(schema: Mapping[str, Any], name: str, rng: Random, depth: int = 0) -> Any:
    """A value that fits the plain parts of a JSON Schema: types, enums, bounds, required properties.

    Raises :class:`ValueError` for what it cannot read.
    """
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return rng.choice(list(schema["enum"]))
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return sample(schema[word][0], name, rng, depth)
    if depth > MAX_DEPTH:
        raise ValueError(f"{name}: the schema is nested too deeply")
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {key: sample(properties.get(key, {}), key, rng, depth + 1) for key in schema.get("required", ())}
        case "array":
            least = max(1, int(schema.get("minItems", 1)))
            return [sample(schema.get("items", {}), name, rng, depth + 1) for _ in range(min(least, 8))]
        case "boolean":
            return rng.random() < 0.5
        case "null":
            return None
        case "integer" | "number":
            low = math.ceil(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
            high = math.floor(schema.get("maximum", schema.get("exclusiveMaximum", low + 99)))
            return rng.randint(low, max(low, high))
        case "string":
            return _text(name.lower(), rng)[: int(schema.get("maxLength", 1_000))]
    raise ValueError(f"{name}: cannot make up a value of type {kind!r}")


def _text(name: str, rng: Random) -> str:
    who, address = person(rng)
    for part, text in (
        ("email", address), ("name", who), ("city", rng.choice(CITIES)), ("place", rng.choice(CITIES)),
        ("date", f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"), ("time", f"{rng.randint(0, 23):02}:30"),
        ("item", rng.choice(ITEMS)), ("product", rng.choice(ITEMS)),
    ):  # fmt: skip
        if part in name:
            return text
    return f"{rng.choice(TOPICS)} {rng.randint(100, 999)}"


def _move(tool: Mapping[str, Any]) -> Move:
    parameters = tool["parameters"]
    purpose = _first_sentence(tool["description"]) or tool["name"].replace("_", " ")

    def draw(rng: Random, facts: Facts) -> Facts:
        given = sample({**parameters, "type": "object"}, tool["name"], rng)
        told = ", ".join(f"{key.replace('_', ' ')} {json.dumps(value)}" for key, value in given.items())
        return {"given": given, "ask": f"do this: {purpose}" + (f" (with {told})" if told else "")}

    def arguments(facts: Facts, known: Learned) -> dict[str, Any]:
        # An id that a result has told is better than one made up.
        return {key: known.get(key, value) if key.endswith("id") else value for key, value in facts["given"].items()}

    return Move(
        tool=tool["name"],
        draw=draw,
        asks=("{ask}",),
        arguments=arguments,
        says=lambda facts, result: f"{purpose}: {_short(result)}",
        learns=lambda result: _ids(tool["name"], result),
    )


def _ids(tool: str, result: Any) -> Learned:
    if not isinstance(result, Mapping):
        return {}
    found = {key: value for key, value in result.items() if key.endswith("id") and isinstance(value, (str, int))}
    noun = tool.rpartition("_")[2]
    return {**found, f"{noun}_id": found["id"]} if "id" in found else found


def _first_sentence(text: str) -> str:
    return text.strip().partition("\n")[0].partition(". ")[0].replace("_", " ").rstrip(".")[:200]


def _short(result: Any) -> str:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]} and so on"
