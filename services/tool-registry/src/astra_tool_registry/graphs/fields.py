"""What a tool's result is known to hold, and what its parameters ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from astra_proto.tools import Tool

from astra_tool_registry.graphs.words import Stage, pieces, stage_of, stem, things, things_named

_HANDLES = frozenset(map(stem, ("id", "key", "name", "path", "number", "code", "no", "uuid", "ref", "slug", "sku")))
"""The last word of a parameter that takes hold of a thing: ``order_id``, ``table_name``."""
_MAX_FIELDS = 200


@dataclass(frozen=True)
class Parameter:
    """An argument of a tool."""

    name: str
    type: str | None
    required: bool
    thing: str | None
    """What it takes hold of: ``order`` for ``order_id``."""


@dataclass(frozen=True)
class Facts:
    """Everything the graph asks of one tool, worked out once."""

    name: str
    stage: Stage | None
    named: frozenset[str]
    """Things in its name and in those of its parameters."""
    told: frozenset[str]
    """Things in its description."""
    acts_on: frozenset[str]
    """Things in its name: what it returns, if it returns anything."""
    parameters: tuple[Parameter, ...]
    outputs: Mapping[str, str | None]
    """Fields of its output schema and their types; empty if it declares none."""


def read_tools(tools: Iterable[Tool]) -> list[Facts]:
    """What can be read from the names, descriptions and schemas of a server's tools.

    A first word that all names share (``git_``) and a parameter that all tools take (``repo_path``) say what the server
    is about, not what its tools have in common, and are left out.
    """
    listed = list(tools)
    several = len(listed) > 1
    firsts = {pieces(tool.name)[0] for tool in listed if pieces(tool.name)}
    namespace = firsts.pop() if several and len(firsts) == 1 else None
    taken = [frozenset(tool.parameters.get("properties", {})) for tool in listed]
    context = frozenset.intersection(*taken) if several and len(listed) > 2 else frozenset()
    return [_facts(tool, namespace, context) for tool in listed]


def _facts(tool: Tool, namespace: str | None, context: frozenset[str]) -> Facts:
    required = set(tool.parameters.get("required", []))
    parameters = tuple(
        Parameter(name=name, type=_type(schema), required=name in required, thing=_thing(name))
        for name, schema in tool.parameters.get("properties", {}).items()
        if name not in context
    )
    outputs: dict[str, str | None] = {}
    _collect(tool.output_schema, outputs)
    acts_on = things_named(tool.name, namespace)
    return Facts(
        name=tool.name,
        stage=stage_of(tool.name, tool.description),
        named=acts_on.union(*(things(parameter.name) for parameter in parameters)),
        told=things(tool.description),
        acts_on=acts_on,
        parameters=parameters,
        outputs=outputs,
    )


def _thing(name: str) -> str | None:
    words = pieces(name)
    return words[-2] if len(words) > 1 and words[-1] in _HANDLES else None


def _type(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind if isinstance(kind, str) else None


def _collect(schema: Any, into: dict[str, str | None]) -> None:
    """The fields of an output schema, those of nested objects and of lists of them included."""
    level = [schema]
    while level and len(into) < _MAX_FIELDS:
        below: list[Any] = []
        for node in level:
            if not isinstance(node, dict):
                continue
            properties = node.get("properties")
            if isinstance(properties, dict):
                for name, child in properties.items():
                    into.setdefault(name, _type(child))
                    below.append(child)
            below.append(node.get("items"))
        level = below
