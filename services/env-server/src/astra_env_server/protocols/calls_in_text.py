"""Tool calls in what a model wrote. The text is untrusted and may be long: one pass, whatever it holds."""

from astra_proto.envs import Call
from astra_proto.errors import Malformed
from astra_service.http import check_json
from pydantic import ValidationError

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def calls_in(text: str) -> list[Call]:
    """The calls, in order; one that cannot be read is a call of no tool, so that it counts as one."""
    if OPEN not in text:
        call = _read(text)
        return [call] if call else []
    parts = [part.partition(CLOSE)[0].strip() for part in text.split(OPEN)[1:]]
    return [_read(part) or Call(name="", arguments=part) for part in parts]


def _read(text: str) -> Call | None:
    try:
        value = check_json(text.encode())
        return Call(name=value["name"], arguments=value.get("arguments", {}))
    except (Malformed, ValidationError, KeyError, TypeError, AttributeError):
        return None
