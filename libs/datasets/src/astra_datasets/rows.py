"""Arenas as rows for RL trainers, in the shape of ASTRA's public RL data (paper's release), and such rows as arenas.

A row has ``prompt`` (a list with one message) and three texts of JSON: ``tool_schema`` (OpenAI tools, distractors among
them), ``tool_dict`` (tool to Python source) and ``sub_qa_dict`` (tool to the texts its calls must give). That is less
than an arena is: no golden calls, no questions, no dependencies, no types. A fifth column, ``arena``, has the rest, so
that a row of ours is the same arena when it is read back; a sixth, ``solve_rates``, what policies reached in it.
"""

import json
from typing import Any

from astra_proto.arenas import Answer, ArenaSpec, ArenaTool
from astra_proto.base import Record
from astra_proto.messages import UserMessage
from astra_proto.solve_rates import SolveRates
from pydantic import JsonValue

ELSEWHERE = {"prompt", "tools", "distractors"}
"""What of an arena the other columns hold."""


class RLRow(Record):
    """One row."""

    prompt: list[UserMessage]
    tool_schema: str
    tool_dict: str
    sub_qa_dict: str
    arena: str | None = None
    """Everything of the arena that the other columns do not hold, as JSON; null in rows of others."""
    solve_rates: str | None = None
    """Policy to what was measured of it in the arena, as JSON; null in rows of others."""


def row_of(spec: ArenaSpec, solve_rates: SolveRates | None = None, *, bare: bool = False) -> RLRow:
    """The row of an arena; ``bare`` leaves all but the public four columns out."""
    offered = sorted((*spec.tools, *spec.distractors), key=lambda tool: tool.name)
    answers: dict[str, list[str]] = {}
    for task in spec.subtasks:
        answers.setdefault(task.tool, []).append(as_text(task.answer.value))
    return RLRow(
        prompt=[UserMessage(content=spec.prompt)],
        tool_schema=_json([tool.spec().model_dump(mode="json") for tool in offered]),
        tool_dict=_json({tool.name: tool.code for tool in offered}),
        sub_qa_dict=_json(answers),
        arena=None if bare else _json(_rest(spec)),
        solve_rates=None if bare else rates_text(solve_rates or {}),
    )


def spec_of(prompt: str, tools: dict[str, ArenaTool], rest: dict[str, Any]) -> ArenaSpec:
    """The arena of a row that has the fifth column. Raises KeyError for a tool that is not there, ValidationError."""
    own, others = ([tools[name] for name in rest[part]] for part in ("tools", "distractors"))
    fields = {key: value for key, value in rest.items() if key not in ("id", "tools", "distractors")}
    return ArenaSpec.model_validate({**fields, "prompt": prompt, "tools": own, "distractors": others})


def rates_text(solve_rates: SolveRates) -> str:
    """What policies reached in an arena, as JSON."""
    return _json({policy: rate.model_dump(mode="json") for policy, rate in solve_rates.items()})


def as_text(value: JsonValue) -> str:
    """An answer as the release writes them: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else _json(value)


def answer_of(text: JsonValue) -> Answer:
    """The answer that a row tells. A text that is a number as a whole is compared as one."""
    return Answer(value=text)


def _rest(spec: ArenaSpec) -> dict[str, Any]:
    names = {part: [tool.name for tool in getattr(spec, part)] for part in ("tools", "distractors")}
    return {"id": spec.id(), **spec.model_dump(mode="json", exclude=ELSEWHERE), **names}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
