"""Reads what a policy wrote. Nothing it writes is an error here: a broken call is still a call, and counts as one."""

import json
import math
import re
from typing import Any

from astra_proto.envs import Action, Call

from astra_trainer.rollout.render import CALL_END, CALL_START, TURN_END

MALFORMED = "malformed_call"
"""The name given to a call whose own cannot be read: no tool has it."""
MAX_CALLS = 64
MAX_DEPTH = 32

_BLOCK = re.compile(f"{re.escape(CALL_START)}(.*?)(?:{re.escape(CALL_END)}|(?={re.escape(CALL_START)})|$)", re.DOTALL)
_NAME = re.compile(r'"name"\s*:\s*"([^"\\]{1,256})"')


def parse(text: str) -> Action:
    """The action in an assistant turn: its tool calls, or all of it as the final answer.

    >>> parse('<tool_call>{"name": "area", "arguments": {"side": 3}}</tool_call>').tool_calls[0].arguments
    {'side': 3}
    """
    text = _clean(text.removesuffix(TURN_END))
    calls = [_call(block) for block in _BLOCK.findall(text)[:MAX_CALLS]]
    return Action(tool_calls=calls) if calls else Action(content=text.strip()[:200_000])


def _call(block: str) -> Call:
    raw = block.strip()
    try:
        value = json.loads(raw, parse_constant=_refuse)
        if isinstance(value, dict) and isinstance(value.get("name"), str) and _is_sound(value):
            arguments = value.get("arguments", {})
            if isinstance(arguments, (dict, str)):
                return Call(name=value["name"][:256], arguments=arguments)
    except (ValueError, RecursionError):
        pass
    named = _NAME.search(raw)
    return Call(name=named.group(1) if named else MALFORMED, arguments=raw[:200_000])


def _is_sound(value: Any, depth: int = 0) -> bool:
    """Whether a JSON value survives the wire: finite numbers, no lone surrogates, no NUL, not too deep."""
    if isinstance(value, str):
        return value == _clean(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return depth < MAX_DEPTH and all(_is_sound(k) and _is_sound(v, depth + 1) for k, v in value.items())
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(_is_sound(item, depth + 1) for item in value)
    return True


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
