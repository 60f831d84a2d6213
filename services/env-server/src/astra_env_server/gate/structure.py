"""Checks of what the sub-tasks say of themselves: can an answer be guessed, and does one lead to the next?"""

import json

from astra_proto.arenas import Answer, ArenaSpec, SubTask
from astra_proto.traces import topology_of
from pydantic import JsonValue, ValidationError

from astra_env_server.gate.knowledge import leaves
from astra_env_server.gate.leakage import is_trivial
from astra_env_server.gate.names import words
from astra_env_server.scoring.folding import fold, number_from
from astra_env_server.scoring.matching import Output, holds

_GUESSED_FIRST = words(
    "yes no true false none null nil n/a na ok okay unknown y n 是 否 对 错 有 无 没有 真 假 不是 可以 不可以 能 不能"
)


def guessable(spec: ArenaSpec) -> list[str]:
    """No answer is a yes or no, nor 0 or 1, which the first guess would find half of the time."""
    return [
        f"sub-task {task.id} (tool {task.tool!r}): the answer {task.answer.value!r} can be guessed: ask for a value"
        for task in spec.subtasks
        if _guessed(task.answer.value)
    ]


def topology(spec: ArenaSpec) -> list[str]:
    """The shape is that of the dependencies, and the dependencies are those of the golden calls."""
    shape = topology_of({task.id: task.depends_on for task in spec.subtasks})
    problems = [] if shape is spec.topology else [f"topology is {spec.topology.value}, the sub-tasks' is {shape.value}"]
    shown = Output(spec.prompt)
    tools = {tool.name: json.dumps(tool.parameters, ensure_ascii=False) for tool in spec.tools}
    before = ancestors(spec)
    for task in spec.subtasks:
        here = f"sub-task {task.id} (tool {task.tool!r})"
        hidden = [leaf for leaf in leaves(task.golden_call.arguments) if not _told(leaf, shown, tools[task.tool])]
        # Where there is a state a call may wait for what another one does, and take nothing of its answer.
        idle = spec.state is None and task.depends_on and not hidden
        if idle and not any(_feeds(other, task) for other in _of(spec, task.depends_on)):
            problems.append(
                f"{here}: depends on {task.depends_on}, but its golden call takes nothing that these give: all of it "
                "stands in the prompt"
            )
        for other in spec.subtasks:
            if other.id == task.id or other.id in before[task.id] or task.id in before[other.id]:
                continue
            if (
                other.state_path is None
                and not is_trivial(other.answer)
                and any(_is(other.answer, leaf) for leaf in hidden)
            ):
                problems.append(
                    f"{here}: its golden call takes the answer of sub-task {other.id}, on which it does not depend"
                )
    return problems


def ancestors(spec: ArenaSpec) -> dict[int, set[int]]:
    """Of each sub-task, all that it needs, directly or not."""
    found: dict[int, set[int]] = {}
    for task in spec.subtasks:
        found[task.id] = set(task.depends_on).union(*(found[each] for each in task.depends_on))
    return found


def _of(spec: ArenaSpec, ids: list[int]) -> list[SubTask]:
    return [task for task in spec.subtasks if task.id in ids]


def _guessed(value: JsonValue) -> bool:
    if isinstance(value, list) and len(value) == 1:
        return _guessed(value[0])
    if isinstance(value, bool):
        return True
    number = number_from(value) if isinstance(value, str) else None
    if number is not None or isinstance(value, int | float):
        return (value if number is None else number) in (0, 1)
    return isinstance(value, str) and fold(value).strip(" .!。！") in _GUESSED_FIRST


def _told(leaf: JsonValue, shown: Output, schema: str) -> bool:
    """Whether an argument stands in the prompt, is one of those that the schema lists, or says nothing."""
    answer = _answer(leaf)
    return answer is None or is_trivial(answer) or shown.holds(answer) or json.dumps(leaf, ensure_ascii=False) in schema


def _feeds(other: SubTask, task: SubTask) -> bool:
    """Whether something of another sub-task's answer is in the golden call."""
    given = json.dumps(task.golden_call.arguments, ensure_ascii=False)
    if any(holds(part, given) for part in (other.answer, *parts_of(other.answer))):
        return True
    taken = [answer for leaf in leaves(task.golden_call.arguments) if (answer := _answer(leaf)) is not None]
    value = other.answer.value
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return any(holds(leaf, told) for leaf in taken)


def takes(other: SubTask, leaf: JsonValue) -> bool:
    """Whether an argument is the answer of another sub-task, or something in it."""
    return any(_is(part, leaf) for part in (other.answer, *parts_of(other.answer)))


def parts_of(answer: Answer) -> list[Answer]:
    """What is in an answer that is a list or a record, each part as an answer of its own; else itself."""
    return [part for each in leaves(answer.value) if (part := _answer(each)) is not None]


def _is(answer: Answer, leaf: JsonValue) -> bool:
    other = _answer(leaf)
    text = leaf if isinstance(leaf, str) else json.dumps(leaf)
    value = answer.value
    return (
        other is not None
        and holds(answer, text)
        and holds(other, value if isinstance(value, str) else json.dumps(value))
    )


def _answer(value: JsonValue) -> Answer | None:
    try:
        return Answer(value=value)
    except ValidationError:
        return None
