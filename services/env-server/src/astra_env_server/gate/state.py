"""What the gate asks of a stateful arena beside what it asks of every one.

The golden calls are made in the order of the sub-tasks, each in the state that those before it left; a changed call is
made in the state that its golden call met. What stands in the initial state is shown to nobody, so an answer may be
read from there, as from a table in the code. The answer of an end-state check may stand in the prompt: it says what is
wanted, and saying it brings nothing about.
"""

import ast
import json
from collections.abc import Iterable
from typing import Any

from astra_proto.arenas import ArenaSpec, SubTask
from astra_proto.state import state_json
from pydantic import JsonValue

from astra_env_server.sandbox.base import CallOutcome
from astra_env_server.scoring.end_state import holds_in
from astra_env_server.scoring.matching import holds

PARAMETER = "state"
"""The first parameter of every tool of a stateful arena; no argument has this name there."""

_CHANGING = ("append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "sort")


def initial_state(spec: ArenaSpec) -> list[str]:
    """Nothing is reached before anything was done: no end-state check holds in the initial state."""
    return [
        f"sub-task {task.id}: {task.state_path} is {json.dumps(task.answer.value, ensure_ascii=False)[:100]} from the "
        "start: ask for what is not yet so"
        for task in spec.subtasks
        if holds_in(task, spec.state)
    ]


def changes_something(function: ast.FunctionDef) -> bool:
    """Whether code sets, removes or adds something in a record or list: what it does with its state is seen so."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            return True
    return False


def gives(task: SubTask, outcome: CallOutcome) -> bool:
    """Whether a call did what the sub-task asks for: said its answer, or brought about its end-state."""
    if task.state_path is None:
        return outcome.ok and holds(task.answer, outcome.output)
    return outcome.state is not None and holds_in(task, json.loads(outcome.state))


def another(state: dict[str, JsonValue]) -> bytes:
    """A state of the same make in which nothing is to be found: every record and list in it is gone."""
    return state_json({key: _emptied(value) for key, value in state.items()})


def as_code(states: Iterable[bytes]) -> str:
    """States as tables of code, so that the rows in them are found as those in the code are."""
    return "".join(f"\n_STATE_{number} = {json.loads(raw)!r}\n" for number, raw in enumerate(states))


def _emptied(value: Any) -> JsonValue:
    if isinstance(value, dict):
        return {}
    if isinstance(value, list):
        return []
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1 if abs(value) < 2**53 else 0
    return "" if value != "" else "x"
