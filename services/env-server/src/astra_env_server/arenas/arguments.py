"""Are the arguments of a call what the tool's schema asks for?"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from astra_proto.errors import Malformed
from astra_proto.ids import canonical_json
from astra_service.http import check_json
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry

from astra_env_server.arenas.plain_schema import PlainSchema

_NO_REMOTE: Registry[Any] = Registry()


def _unique(_v: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # The library's own compares each pair: minutes for an array of a hundred thousand.
    if wanted and isinstance(instance, list) and len({canonical_json(item) for item in instance}) < len(instance):
        yield ValidationError("holds the same element twice")


def _left_to_the_tool(_v: Any, _wanted: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # A regular expression that a model wrote must not run in the server, where nothing can stop it.
    yield from ()


_Validator: Any = extend(Draft202012Validator, {"pattern": _left_to_the_tool, "uniqueItems": _unique})  # type: ignore[no-untyped-call]


class BadArguments(Exception):
    """The agent's arguments do not fit; the text tells it how to mend them."""


class ArgumentSchema:
    """The parameters of one tool, ready to check calls against."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._validator = _Validator(parameters, registry=_NO_REMOTE)
        self._plain = PlainSchema.read(parameters)
        self.names = list(parameters.get("properties", {}))

    def check(self, arguments: Mapping[str, JsonValue]) -> None:
        """Raise BadArguments, naming the field, unless the tool can take these."""
        if self._plain is not None and self._plain.fits(arguments):
            return
        if unknown := sorted(set(arguments) - set(self.names)):
            takes = ", ".join(self.names) or "no arguments"
            raise BadArguments(f"arguments: unexpected {', '.join(map(repr, unknown))[:200]}; this tool takes {takes}")
        try:
            problem = best_match(self._validator.iter_errors(arguments))
        except (ArithmeticError, RecursionError, ValueError) as error:
            raise BadArguments(f"arguments: cannot be checked against the schema ({type(error).__name__})") from None
        if problem is not None:
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.absolute_path)
            raise BadArguments(f"arguments{where}: {problem.message[:300]}")


def read_arguments(arguments: dict[str, JsonValue] | str) -> dict[str, JsonValue]:
    """The arguments as an object; what a model wrote as text is parsed strictly. Raises BadArguments."""
    if isinstance(arguments, dict):
        return arguments
    raw = arguments.encode()
    try:
        check_json(raw)
        value = orjson.loads(raw)
    except (Malformed, ValueError) as error:
        said = str(error).replace("the body", "the text")
        raise BadArguments(f"arguments: not a JSON object: {said}") from None
    if not isinstance(value, dict):
        raise BadArguments(f"arguments: must be a JSON object, not {type(value).__name__}")
    return value
