"""Which tools are fit to use (paper §3.1.1): each one that is not is dropped with its reason."""

import json
import re
from collections.abc import Iterator
from typing import Any

from astra_proto.ids import ToolName
from astra_proto.tools import Tool
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import TypeAdapter, ValidationError

from astra_tool_registry.graphs.words import stem
from astra_tool_registry.settings import Settings

_NAME = TypeAdapter(ToolName)
_WORD = re.compile(r"[^\W_]+")
_FILLER = frozenset(
    {"a", "an", "the", "this", "that", "is", "to", "of", "for", "and", "or", "tool", "function", "method"}
)
_MAX_DESCRIPTION = 10_000
_MAX_DEPTH = 24
_MAX_DROPS_TOLD = 1_000


class Unfit(Exception):
    """A tool is dropped; the message is the reason."""


def sift(server_id: str, listed: list[Any], settings: Settings) -> tuple[list[Tool], dict[str, str]]:
    """The fit tools of a listing in the OpenAI function shape, in its order, and the reason for each of the others."""
    kept: dict[str, Tool] = {}
    twins: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for index, entry in enumerate(listed):
        label = _label(entry, index)
        try:
            tool = _normalised(server_id, entry, settings)
            if tool.name in kept:
                raise Unfit("the server lists a tool of this name twice; the first stands")
            twin = twins.setdefault(_fingerprint(tool), tool.name)
            if twin != tool.name:
                raise Unfit(f"the same description and parameters as {twin!r}")
            kept[tool.name] = tool
        except Unfit as reason:
            if len(dropped) < _MAX_DROPS_TOLD:
                dropped[_free(label, kept.keys() | dropped.keys())] = str(reason)
    return list(kept.values()), dropped


def _normalised(server_id: str, entry: Any, settings: Settings) -> Tool:
    if not isinstance(entry, dict):
        raise Unfit("it is no object")
    try:
        name = _NAME.validate_python(entry.get("name"), strict=True)
    except ValidationError:
        raise Unfit("its name is no text of letters, digits, '_', '-', '.' that begins with a letter or '_'") from None
    description = _description(name, entry.get("description"), settings.min_description_words)
    parameters = _parameters(entry.get("inputSchema"), settings.max_schema_bytes)
    try:
        output = _parameters(entry["outputSchema"], settings.max_schema_bytes) if entry.get("outputSchema") else None
    except Unfit:
        output = None  # it only helps to read results; the tool is of use without
    return Tool(server_id=server_id, name=name, description=description, parameters=parameters, output_schema=output)


def _description(name: str, text: Any, least: int) -> str:
    if not isinstance(text, str) or not text.strip():
        raise Unfit("it has no description")
    cleaned = re.sub(r"[ \t]+\n", "\n", text.replace("\0", "").encode("utf-8", "ignore").decode()).strip()
    if len(cleaned) > _MAX_DESCRIPTION:
        raise Unfit(f"its description is longer than {_MAX_DESCRIPTION} characters")
    words = [word.lower() for word in _WORD.findall(cleaned)]
    named = "".join(_WORD.findall(name)).lower()
    telling = [word for word in words if word not in _FILLER and stem(word) not in named]
    # a description in a script without spaces is one long word
    if (len(words) < least and len(cleaned) < 8) or not telling:
        raise Unfit(f"its description says no more than its name: {cleaned[:80]!r}")
    return cleaned


def _parameters(schema: Any, limit: int) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise Unfit("its schema is no object")
    if schema.get("type", "object") != "object" or any(
        key in schema for key in ("oneOf", "anyOf", "allOf", "not", "if")
    ):
        raise Unfit("its schema does not plainly describe an object")
    if not isinstance(schema.get("properties", {}), dict):
        raise Unfit("the properties of its schema are no object")
    try:
        text = json.dumps(schema, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        raise Unfit("its schema is no JSON that can be stored") from None
    if "\\u0000" in text:
        raise Unfit("its schema holds a NUL character")
    if len(text) > limit:
        raise Unfit(f"its schema is larger than {limit} bytes")
    if _depth(schema) > _MAX_DEPTH:
        raise Unfit(f"its schema is nested deeper than {_MAX_DEPTH} levels")
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        raise Unfit(f"its schema is no valid JSON Schema: {str(getattr(error, 'message', error))[:200]}") from None
    required, known = schema.get("required", []), schema.get("properties", {})
    if unknown := [name for name in required if name not in known]:
        raise Unfit(f"its schema requires parameters that it does not describe: {unknown[:5]}")
    if astray := [ref for ref in _references(schema) if not _resolves(ref, schema)]:
        raise Unfit(f"its schema refers to what is not in it: {astray[0][:100]!r}")
    return {"type": "object", "properties": known} | {
        k: v for k, v in schema.items() if k not in ("$schema", "$id", "title")
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _resolves(reference: str, root: Any) -> bool:
    if reference != "#" and not reference.startswith("#/"):
        return False
    node = root
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _depth(root: Any) -> int:
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


def _fingerprint(tool: Tool) -> str:
    return json.dumps([tool.description, tool.parameters], sort_keys=True)


def _label(entry: Any, index: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        return f"tool {index}"
    return name[:128].replace("\0", "").encode("utf-8", "replace").decode()


def _free(label: str, taken: set[str]) -> str:
    number, candidate = 2, label
    while candidate in taken:
        candidate = f"{label}#{number}"
        number += 1
    return candidate
