"""Reading what a model wrote: the reasoning before the answer, the fences around it, the JSON in it."""

import json
import re
from typing import Any

import json_repair

_FENCED = re.compile(r"\A\s*```[\w-]*[ \t]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_ANY_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)


class NotJson(ValueError):
    """The text holds no JSON that could be read."""


def answer_of(text: str) -> str:
    """The text without the reasoning that ends in ``</think>``."""
    return text.rpartition("</think>")[2].strip()


def unfenced(text: str) -> str:
    """The text inside its code fence, if the whole of it stands in one."""
    match = _FENCED.match(text)
    return match.group(1).strip() if match else text.strip()


def read_json(text: str) -> tuple[Any, bool]:
    """The JSON value in a reply, and whether it had to be repaired.

    Tried in order: the whole answer, the last fenced block, the span from the first bracket to the last, and a repair
    of that span. A span with a bracket left open is half an answer and is not repaired. Raises :class:`NotJson`.
    """
    answer = unfenced(answer_of(text))
    blocks = _ANY_FENCE.findall(answer)
    span = _bracketed(answer)
    for candidate in (answer, *reversed(blocks), span):
        try:
            return clean(json.loads(candidate, parse_constant=_refuse)), False
        except (ValueError, RecursionError):
            continue
    if span and all(span.count(left) <= span.count(right) for left, right in ("{}", "[]")):
        try:
            value = json_repair.loads(span)
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError):
            value = None
        if value:
            return clean(value), True
    raise NotJson("no complete JSON value was found in the reply")


def clean(value: Any) -> Any:
    """The same JSON value without what no database or other client takes: NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [clean(v) for v in value]
    return value


def _bracketed(text: str) -> str:
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    return text[min(starts) : end + 1] if starts and end >= min(starts) else ""


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
