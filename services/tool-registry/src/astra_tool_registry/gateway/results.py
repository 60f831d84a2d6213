"""A tool's answer as text that a model can read and a database can store."""

import json
from typing import Any


def clean(text: str) -> str:
    """Without NUL characters and lone surrogates, which no database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def as_text(result: dict[str, Any], limit: int) -> str:
    """The parts of a ``tools/call`` result, one below the other; what is no text is described, never passed on.

    A tool that gives structured content only is shown as JSON. At most ``limit`` characters, and the cut is told.
    """
    content = result.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else []
    if not parts and isinstance(result.get("structuredContent"), dict):
        parts = [json.dumps(result["structuredContent"], ensure_ascii=False)]
    text = clean("\n".join(parts))
    if len(text) <= limit:
        return text
    note = f"\n[cut: {len(text)} characters in all]"
    return text[: limit - len(note)] + note


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return "[a part that is no object]"
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text", ""))
    if kind in ("image", "audio"):
        return (
            f"[{kind} {part.get('mimeType', 'of unknown type')}, {len(str(part.get('data', '')))} characters of base64]"
        )
    if kind == "resource_link":
        return f"[resource {part.get('uri')}]"
    if kind == "resource":
        resource = part.get("resource")
        if isinstance(resource, dict):
            return str(resource["text"]) if "text" in resource else f"[resource {resource.get('uri')}]"
    return f"[a part of type {str(kind)[:50]}]"


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def fit(arguments: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Whether arguments have what a schema requires, in its plain types: enough to tell whose fault a refusal is.

    No full validation: the schema is the server's, and a hostile pattern in it could keep us busy for ever.
    """
    properties = parameters.get("properties", {})
    if not set(parameters.get("required", [])) <= arguments.keys():
        return False
    if parameters.get("additionalProperties") is False and not arguments.keys() <= properties.keys():
        return False
    return all(_is_a(value, properties.get(name)) for name, value in arguments.items())


def _is_a(value: Any, schema: Any) -> bool:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str) or kind not in _JSON_TYPES:
        return True
    return isinstance(value, _JSON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
