"""The offline teacher: answers the pipelines' prompts by rule, in the same JSON that a model would write.

It is no model: it knows the worlds it ships and nothing else, and says so. What it makes passes the same gates.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from astra_proto.arenas import Topology

from astra_synth_worker.arenas.part import Part
from astra_synth_worker.llm.base import Completion, LLMFailed, Prompt
from astra_synth_worker.teacher.draw import Sketch, draw_sketch

Handler = Callable[[Prompt], Completion]


class OfflineTeacher:
    """A procedural generator behind the interface of a model. Every handler is a pure function of its prompt."""

    name = "offline"

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        self._handlers = HANDLERS if handlers is None else handlers

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer by the handler of the prompt's name. Raises :class:`LLMFailed` for what is not among its worlds."""
        handler = self._handlers.get(prompt.name)
        if handler is None:
            raise LLMFailed(f"the offline teacher has no answer to {prompt.name!r}: configure a model for it")
        try:
            return handler(prompt)
        except ValueError as error:
            raise LLMFailed(f"the offline teacher cannot do this, configure a model for it: {error}") from None


def reply(value: Any) -> Completion:
    """A JSON value as the text of a completion; it costs no tokens."""
    return Completion(content=json.dumps(value, ensure_ascii=False))


_cached_sketch = lru_cache(maxsize=256)(draw_sketch)


def _sketch(variables: Mapping[str, Any]) -> Sketch:
    topology = variables["topology"]
    return _cached_sketch(
        str(variables["domain"]),
        int(variables["seed"]),
        Topology(topology) if topology else None,
        variables["hops"],
        variables["language"],
    )


def _qa_trace(prompt: Prompt) -> Completion:
    wanted = prompt.variables
    if wanted["knowledge"]:
        raise ValueError("knowledge: it does not read texts")
    trace = _sketch(wanted).trace
    if wanted["question"] and wanted["question"] != trace.question:
        raise ValueError("question: it knows only the questions that it makes up itself")
    return reply(trace.model_dump(mode="json", include={"background", "question", "final_answer", "subquestions"}))


def _part(prompt: Prompt) -> Part:
    number = prompt.variables["id"]
    part = next((part for part in _sketch(prompt.variables).parts if part.id == number), None)
    if part is None:
        raise ValueError(f"id: there is no sub-question {number} in its question")
    return part


def _tool_document(prompt: Prompt) -> Completion:
    return reply(_part(prompt).tool.model_dump(mode="json", exclude={"code"}))


def _tool_call(prompt: Prompt) -> Completion:
    return reply({"arguments": _part(prompt).call.arguments})


def _tool_code(prompt: Prompt) -> Completion:
    return reply({"code": _part(prompt).tool.code})


def _distractors(prompt: Prompt) -> Completion:
    return reply({"tools": [tool.model_dump(mode="json") for tool in _sketch(prompt.variables).distractors]})


HANDLERS: dict[str, Handler] = {
    "qa_trace": _qa_trace,
    "tool_document": _tool_document,
    "tool_call": _tool_call,
    "tool_code": _tool_code,
    "distractors": _distractors,
}
"""Prompt name to what answers it. Other pipelines add theirs."""
