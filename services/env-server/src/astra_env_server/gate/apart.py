"""What each golden call of a stateful arena does by itself: is it needed, and is what it tells of the state?

Tools that share a state rightly tell of one thing from several sides: a stay is told when it is booked and when it is
looked up. So what a call tells of another sub-task's answer counts against it only if the answer is still told in a
state that does not have it, in which all numbers are others: then it stands in the code.
"""

import ast
import json
from collections.abc import Iterable
from typing import Any

from astra_proto.arenas import Answer, ArenaTool, SubTask
from astra_proto.state import state_json
from pydantic import JsonValue

from astra_env_server.gate.bench import Caller
from astra_env_server.gate.evidence import Evidence, Ran
from astra_env_server.gate.knowledge import scalars
from astra_env_server.gate.leakage import is_trivial
from astra_env_server.gate.state import PARAMETER, gives
from astra_env_server.gate.structure import ancestors, parts_of
from astra_env_server.gate.trees import parsed
from astra_env_server.scoring.end_state import holds_in
from astra_env_server.scoring.f1 import Scorer
from astra_env_server.scoring.matching import holds

_SHIFT, _STEP = 1_009, 13


async def runs_without(evidence: Evidence, tasks: Iterable[SubTask], caller: Caller) -> dict[int, list[Ran]]:
    """For each sub-task, the golden calls of those behind it, as if its own had not been made."""
    order = list(tasks)
    found: dict[int, list[Ran]] = {}
    for at, task in enumerate(order):
        met = evidence.before[task.id]
        runs = found[task.id] = []
        for other in order[at + 1 :]:
            runs.append(await caller.call(other.tool, other.golden_call.arguments, met))
            met = runs[-1].outcome.state or met
    return found


async def in_another_state(told: Ran, task: SubTask, met: bytes, caller: Caller) -> Ran:
    """A call that told the answer of a sub-task, in a state without it; where it fails there, with the same numbers."""
    run = told
    for numbers in (True, False):
        run = await caller.call(told.tool, told.arguments, _without_answer(met, task.answer, told.arguments, numbers))
        if run.outcome.ok:
            break
    return run


def state(evidence: Evidence) -> list[str]:
    """Every tool of a stateful arena uses the state, and every sub-task of it is solved by its own call."""
    if evidence.spec.state is None:
        return []
    problems = [*_needless(evidence), *_by_strangers(evidence), *_undeclared(evidence)]
    problems += [
        f"sub-task {task.id}: {task.state_path} has its value before the golden call is made: another one brings it "
        "about, so leave the sub-task out, or ask for something else"
        for task in evidence.spec.subtasks
        if holds_in(task, json.loads(evidence.before[task.id]))
    ]
    problems += [
        f"sub-task {task.id} (tool {task.tool!r}): where nothing is to be found it still gives its answer, and does "
        "nothing: it has a table of its own, take that out"
        for task in evidence.spec.subtasks
        if _answers_idly(evidence, task)
    ]
    used = {name for name, tasks in evidence.by_tool.items() if any(_uses(evidence, task) for task in tasks)}
    problems += [
        f"tool {tool.name!r}: it neither changes the state nor gives anything else when the state is another"
        for tool in evidence.spec.tools
        if tool.name not in used and (tool.name in evidence.by_tool or not _reads_state(tool))
    ]
    return problems


def _uses(evidence: Evidence, task: SubTask) -> bool:
    """Whether a golden call changed the state, or gave something else in another one."""
    golden, elsewhere = evidence.golden[task.id].outcome, evidence.elsewhere.get(task.id)
    return golden.state is not None or (elsewhere is not None and elsewhere.outcome != golden)


def _answers_idly(evidence: Evidence, task: SubTask) -> bool:
    """Whether a call that does something gives its answer in an emptied state as well, where it does nothing.

    An answer that stands among its arguments, or is a yes or one digit, proves nothing.
    """
    golden, elsewhere = evidence.golden[task.id].outcome, evidence.elsewhere.get(task.id)
    if task.state_path is not None or golden.state is None or elsewhere is None or is_trivial(task.answer):
        return False
    echoed = holds(task.answer, json.dumps([*scalars(task.golden_call.arguments)]))
    return not echoed and elsewhere.outcome.state is None and gives(task, elsewhere.outcome)


def _reads_state(tool: ArenaTool) -> bool:
    """Whether the code of a tool so much as looks at its state."""
    function = parsed(tool.code).function(tool.name)
    return function is not None and any(isinstance(n, ast.Name) and n.id == PARAMETER for n in ast.walk(function))


def _needless(evidence: Evidence) -> list[str]:
    """Sub-tasks that are solved without their own golden call, by those of others."""
    problems = []
    order = list(evidence.golden)
    for task in evidence.spec.subtasks:
        if task.id not in evidence.without or evidence.reached_before(task):  # that is told by itself
            continue
        scorer = Scorer(evidence.spec)
        for run in (*(evidence.golden[i] for i in order[: order.index(task.id)]), *evidence.without[task.id]):
            run.count(scorer)
        if task.id in scorer.tally.solved:
            problems.append(
                f"sub-task {task.id} (tool {task.tool!r}): the golden calls of the others solve it without its own: "
                "leave it out, or ask for something else"
            )
    return problems


def _undeclared(evidence: Evidence) -> list[str]:
    """Sub-tasks that need the call of another one, on which they do not depend."""
    problems = []
    before, tasks = ancestors(evidence.spec), {task.id: task for task in evidence.spec.subtasks}
    order = list(evidence.golden)
    for left_out, runs in evidence.without.items():
        for other, run in zip(order[order.index(left_out) + 1 :], runs, strict=True):
            task = tasks[other]
            if (
                left_out not in before[other]
                and not gives(task, run.outcome)
                and gives(task, evidence.golden[other].outcome)
            ):
                problems.append(
                    f"sub-task {other} (tool {task.tool!r}): its golden call needs what sub-task {left_out} does, "
                    "on which it does not depend"
                )
    return problems


def _by_strangers(evidence: Evidence) -> list[str]:
    """End-states that a tool which is not theirs brings about when it is asked for nothing of the kind."""
    problems = []
    for task in evidence.spec.subtasks:
        if task.state_path is None:
            continue
        asked = {*scalars(task.golden_call.arguments), *scalars(task.answer.value)}
        for other in evidence.spec.subtasks:
            if other.tool == task.tool or holds_in(task, json.loads(evidence.before[other.id])):
                continue
            for run in (*evidence.perturbed.get(other.id, []), *evidence.vague.get(other.id, [])):
                left = run.outcome.state
                if left is not None and holds_in(task, json.loads(left)) and not asked & {*scalars(run.arguments)}:
                    problems.append(
                        f"tool {other.tool!r}: asked {run.arguments!r}, it brings about what sub-task {task.id} "
                        f"(tool {task.tool!r}) asks for"
                    )
                    break
    return problems


def _without_answer(raw: bytes, answer: Answer, kept: JsonValue, numbers: bool) -> bytes:
    """The state with the answer gone from it, and, if wanted, with all numbers moved that ``kept`` does not have."""
    gone = [answer, *parts_of(answer)]
    spared = {*scalars(kept)}
    count = 0

    def text(value: str) -> str:
        return f"{value}x" if value not in spared and any(holds(each, value) for each in gone) else value

    def changed(value: Any) -> Any:
        nonlocal count
        if isinstance(value, dict):
            return {text(key): changed(child) for key, child in value.items()}
        if isinstance(value, list):
            return [changed(child) for child in value]
        if isinstance(value, str):
            return text(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value in spared or abs(value) > 2**52:
            return value
        if not numbers and not any(holds(each, json.dumps(value)) for each in gone):
            return value
        count += 1
        return value + _SHIFT + _STEP * count

    return state_json(changed(json.loads(raw)))
