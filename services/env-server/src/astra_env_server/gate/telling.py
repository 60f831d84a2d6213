"""Checks of what calls tell beside their answers, and of what they depend on."""

from collections.abc import Iterator
from itertools import combinations

from astra_proto.arenas import SubTask

from astra_env_server.gate.blind import guessed
from astra_env_server.gate.evidence import Evidence, Ran
from astra_env_server.gate.knowledge import leaves
from astra_env_server.gate.leakage import is_trivial
from astra_env_server.gate.state import gives
from astra_env_server.gate.structure import ancestors
from astra_env_server.scoring.matching import Output, holds


def arguments(evidence: Evidence) -> list[str]:
    """Every argument of every golden call matters: changed alone, it changes what comes of the call."""
    idle = []
    for name, tasks in evidence.told_apart.items():
        for argument in dict.fromkeys(key for task in tasks for key in task.golden_call.arguments):
            given = [task for task in tasks if argument in task.golden_call.arguments]
            tried = [evidence.single.get(task.id, {}).get(argument, []) for task in given]
            if any(tried) and not any(evidence.matters(task, argument) for task in given):
                values = [run.arguments.get(argument) for runs in tried for run, _ in runs]
                idle.append(
                    f"tool {name!r}: its argument {argument!r} does nothing: the golden call gives the same with "
                    f"{', '.join(map(repr, values))[:200]}"
                )
            elif taken := next(filter(None, (guessed(evidence, task, argument) for task in given)), []):
                idle.append(
                    f"tool {name!r}: its argument {argument!r} need not be known: the golden call gives the same with "
                    f"{', '.join(map(repr, taken))[:200]}"
                )
    return idle


def repeatable(evidence: Evidence) -> list[str]:
    """The golden calls give their answers whenever, wherever and after whatever other calls they are made."""
    problems = []
    for task in evidence.spec.subtasks:
        here = f"sub-task {task.id} (tool {task.tool!r})"
        golden = evidence.golden[task.id].outcome
        if not gives(task, golden) or golden != evidence.again[task.id].outcome:
            continue  # told by the checks of the oracle and of determinism
        for number, run in enumerate(evidence.later.get(task.id, []), start=2):
            if not gives(task, run.outcome) and run.outcome.error_class != "timeout":
                problems.append(
                    f"{here}: among other calls, when the golden call is made for the {number}. time, it does not give "
                    f"its answer: {run.outcome.output[:200]!r}"
                )
                break
        for run in evidence.otherwise.get(task.id, [])[:1]:
            problems.append(
                f"{here}: with another clock, other chance and sets in another order the golden call gives "
                f"{run.outcome.output[:150]!r}, not {golden.output[:150]!r}"
            )
    return problems


def failures(evidence: Evidence) -> list[str]:
    """No call that fails, and none that makes no sense, tells an answer."""
    problems = []
    worth = [task for task in evidence.spec.subtasks if task.state_path is None and not is_trivial(task.answer)]
    for run in evidence.everything():
        if run.outcome.ok or run.outcome.error_class == "timeout":
            continue
        told = Output(run.outcome.output + " ")
        problems += [
            f"tool {run.tool!r}: when it fails, it tells the answer of sub-task {task.id}, {task.answer.value!r}: "
            f"{run.outcome.output[:200]!r}"
            for task in worth
            if told.holds(task.answer) and not _asked_with(task, run)
        ]
    return list(dict.fromkeys(problems))


def overlap(evidence: Evidence) -> list[str]:
    """No call tells the answer of a sub-task that is not its own, nor does another tool give it when asked the same."""
    problems = [
        f"sub-task {task.id} (tool {task.tool!r}): its golden call is that of sub-task {other.id}: ask for one thing"
        for other, task in combinations(evidence.spec.subtasks, 2)
        if evidence.spec.state is None and task.golden_call == other.golden_call
    ]
    problems += [
        f"tool {other!r}: it does and tells the same as tool {name!r} whatever both are asked: leave one of them out"
        for name, other in evidence.copies
    ]
    for task, other, run in told_by_others(evidence):
        shifted = evidence.shifted.get((id(run), task.id))
        if shifted is not None and shifted.outcome.ok and not _tells(task, shifted):
            continue  # it tells what the state has
        if other is not None:
            problems.append(
                f"sub-task {other.id} (tool {other.tool!r}): its golden call tells the answer of sub-task "
                f"{task.id}, {task.answer.value!r}, as well"
            )
        else:
            problems.append(
                f"tool {run.tool!r}: it tells the answer of sub-task {task.id}, {task.answer.value!r}, when asked "
                f"{run.arguments!r}"[:400]
            )
    return problems


def told_by_others(evidence: Evidence) -> Iterator[tuple[SubTask, SubTask | None, Ran]]:
    """Sub-tasks whose answers calls of other tools tell: the golden call of another one, or some other call."""
    spec = evidence.spec
    before = ancestors(spec)
    for task in spec.subtasks:
        if task.state_path is not None or is_trivial(task.answer):
            continue
        for other in spec.subtasks:
            if other.id == task.id or task.id in before[other.id] or other.tool == task.tool:
                continue
            if other.state_path is None and other.answer.value == task.answer.value:
                continue
            if _tells(task, golden := evidence.golden[other.id]):
                yield task, other, golden
        for runs in _elsewhere_told(evidence, task):
            yield task, None, runs[0]


def _elsewhere_told(evidence: Evidence, task: SubTask) -> Iterator[list[Ran]]:
    """Calls of other tools that give the answer when asked what its golden call asks, or several that ask for nothing.

    Tools that share a state may well answer the same question.
    """
    for name, asked in evidence.others.items():
        if name == task.tool:
            continue
        own = {str(evidence.golden[each.id].arguments) for each in evidence.by_tool.get(name, [])}
        same = [run for run in asked if _tells(task, run) and str(run.arguments) not in own]
        same = same if evidence.spec.state is None else []
        made_up = [run for t in evidence.by_tool.get(name, []) for run in evidence.perturbed[t.id] if _tells(task, run)]
        made_up += [run for run in evidence.random if run.tool == name and _tells(task, run)]
        if same or len(made_up) > 1:
            yield same or made_up


def _tells(task: SubTask, run: Ran) -> bool:
    return run.outcome.ok and holds(task.answer, run.outcome.output) and not _asked_with(task, run)


def _asked_with(task: SubTask, run: Ran) -> bool:
    """Whether the answer stands in the arguments of a call: then it only repeats it."""
    return any(holds(task.answer, str(leaf)) for leaf in leaves(run.arguments))
