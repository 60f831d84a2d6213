"""A query parameter that a route does not have is told: a filter that is misspelt would filter nothing."""

from typing import Any

from astra_proto.errors import Invalid
from fastapi import Request


async def refuse_unknown_queries(request: Request) -> None:
    """A dependency of routes. Raises Invalid, naming the parameter and those that there are."""
    if not request.query_params:
        return
    known = _queries(request.app.openapi(), request.scope["route"].path, request.method)
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        takes = f"those are {', '.join(sorted(known))}" if known else "this route takes none"
        raise Invalid(f"query.{unknown[0][:100]}: no parameter of this route, {takes}")


def _queries(document: dict[str, Any], path: str, method: str) -> set[str]:
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
