"""Redraws the values in a demonstration, so that it teaches to copy what is asked and not to remember it.

The oracle's episode of an arena is one of a few hundred. A model that sees each of them ten times knows by heart which
patient goes with which doctor. With other names, codes and numbers every time, the only thing that stays true is where
an argument comes from. Which values there are is read from the calls and their results; nothing is said by hand.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from typing import Any

from astra_proto.messages import AssistantMessage, FunctionCall, Message, SystemMessage, ToolMessage

_WORTH = re.compile(r'^(?=.*[A-Z0-9])[^\\"\n]{2,48}$')
"""Values that may be redrawn: not one letter or digit, not a plain word that a sentence may hold by chance."""
_CODE = re.compile(r"[0-9]")


class Values:
    """The values of many demonstrations, by the name of the argument or result they stood under."""

    def __init__(self, conversations: Iterable[Sequence[Message]]) -> None:
        pools: dict[str, set[str]] = {}
        for messages in conversations:
            for value, name in _values(messages).items():
                if not _CODE.search(value):
                    pools.setdefault(name, set()).add(value)
        self._pools = {name: sorted(values) for name, values in pools.items()}

    def redraw(self, messages: Sequence[Message], rng: random.Random) -> list[Message]:
        """The conversation with every value replaced by another of its kind, the same one wherever it stands."""
        old = _values(messages)
        new: dict[str, str] = {}
        for value, name in old.items():
            for _ in range(8):
                candidate = self._another(value, name, rng)
                if candidate not in new.values() and candidate not in old:
                    new[value] = candidate
                    break
        if not new:
            return list(messages)
        longest_first = sorted(new, key=len, reverse=True)
        found = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")
        return [_mapped(message, lambda text: found.sub(lambda m: new[m.group()], text)) for message in messages]

    def _another(self, value: str, name: str, rng: random.Random) -> str:
        if not _CODE.search(value):
            return rng.choice(self._pools[name])
        letters = value.upper() == value
        drawn = [
            rng.choice("0123456789")
            if c.isdigit()
            else rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ")
            if letters and c.isalpha()
            else c
            for c in value
        ]
        if drawn[0] == "0":
            drawn[0] = rng.choice("123456789")
        return "".join(drawn)


def _values(messages: Sequence[Message]) -> dict[str, str]:
    """Every value worth redrawing in calls and results, with the name it first stood under."""
    found: dict[str, str] = {}
    for message in messages:
        texts = []
        if isinstance(message, AssistantMessage):
            texts = [call.function.arguments for call in message.tool_calls or []]
        elif isinstance(message, ToolMessage):
            texts = [message.content]
        for text in texts:
            try:
                value = json.loads(text)
            except ValueError:
                continue
            for name, leaf in _leaves(value, ""):
                if _WORTH.match(leaf):
                    found.setdefault(leaf, name)
    return found


def _leaves(value: Any, name: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, str(key))
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, name)
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        yield name, str(value)


def _mapped(message: Message, change: Any) -> Message:
    if isinstance(message, SystemMessage):
        return message
    if not isinstance(message, AssistantMessage):
        return message.model_copy(update={"content": change(message.content)})
    calls = [
        call.model_copy(
            update={"function": FunctionCall(name=call.function.name, arguments=change(call.function.arguments))}
        )
        for call in message.tool_calls or []
    ]
    return message.model_copy(
        update={"content": change(message.content) if message.content else message.content, "tool_calls": calls or None}
    )
