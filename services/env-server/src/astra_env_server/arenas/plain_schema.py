"""A quick yes for arguments that plainly fit a plain schema, as nearly all do; what is not plain is not decided here.

The library that decides the rest takes a hundred times as long: half of what a step may cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SAYS_NOTHING = {"title", "description", "default", "examples", "$comment"}
_TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),  # not 1.0, which is one too: that is for the library to say
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
}


@dataclass(frozen=True)
class PlainSchema:
    """An object of scalars: for each property its Python types, and the texts it may be if they are listed."""

    properties: dict[str, tuple[frozenset[type], frozenset[str] | None]]
    required: frozenset[str]

    @classmethod
    def read(cls, schema: Mapping[str, Any]) -> "PlainSchema | None":
        """The schema, or None if it asks for anything more."""
        asks = set(schema) - _SAYS_NOTHING - {"type", "properties", "required", "additionalProperties"}
        if asks or schema.get("type") != "object":
            return None
        properties = {}
        for name, each in schema.get("properties", {}).items():
            if not isinstance(each, Mapping) or set(each) - _SAYS_NOTHING - {"type", "enum"}:
                return None
            kinds = _TYPES.get(each["type"]) if isinstance(each.get("type"), str) else None
            listed = each.get("enum")
            if kinds is None or (listed is not None and not all(type(one) is str for one in listed)):
                return None
            properties[name] = (kinds, None if listed is None else frozenset(listed))
        required = schema.get("required", [])
        return cls(properties, frozenset(required)) if set(required) <= set(properties) else None

    def fits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether they fit for certain."""
        if not self.required <= arguments.keys():
            return False
        for name, value in arguments.items():
            known = self.properties.get(name)
            if known is None or type(value) not in known[0]:
                return False
            if known[1] is not None and value not in known[1]:
                return False
        return True
