"""Defects of how sub-tasks that share a state hang together: one call for two of them, waiting that is not told."""

import copy
from collections.abc import Callable
from typing import Any

from astra_proto.state import value_at
from astra_proto.traces import topology_of

from tests.audit.damage import VARIANTS, DoesNotFit, Json, Target, Variant, variant
from tests.audit.stateful import end_of, leaves, others, plays

# ---- one call for two sub-tasks


def _more(target: Target, value: Any, path: str | None) -> None:
    """One more sub-task with the same golden call, for another thing that comes of it."""
    more: Json = copy.deepcopy(target.task) | {"id": max(t["id"] for t in target.spec["subtasks"]) + 1}
    more.pop("state_path", None)
    more |= {"answer": {"value": value}, **({} if path is None else {"state_path": path})}
    if (path, value) == (target.task.get("state_path"), target.answer):
        raise DoesNotFit
    target.spec["subtasks"].insert(target.spec["subtasks"].index(target.task) + 1, more)
    target.spec["topology"] = topology_of({t["id"]: t["depends_on"] for t in target.spec["subtasks"]}).value
    plays(target)


@variant("two_at_once")
def another_key(target: Target) -> None:
    """Of what a call says, two things are asked for as if it took two calls."""
    if not isinstance(output := target.played()[0], dict):
        raise DoesNotFit
    told = [v for v in output.values() if type(v) in (int, float, str) and v not in target.golden.values()]
    found = [value for value in told if value != target.answer and len(str(value)) > 1]
    if not found:
        raise DoesNotFit
    _more(target, target.draw.choice(found), None)


@variant("two_at_once", held_out=True)
def the_same_once_more(target: Target) -> None:
    """The same end, asked for again in the words of another path: the record that it is in."""
    keys = end_of(target)
    record = value_at(target.played()[2], tuple(keys[:-1]))
    _more(target, record, "/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in keys[:-1]))


@variant("two_at_once")
def two_ends(target: Target) -> None:
    """Another place that the same call changes."""
    end_of(target)
    _, before, after = target.played()
    old = [*leaves(before)]
    found = [(path, value) for path, value in leaves(after) if (path, value) not in old and len(str(value)) > 1]
    if not found:
        raise DoesNotFit
    path, value = target.draw.choice(found)
    _more(target, value, path)


# ---- a call that has to wait for another one, which nobody is told


def _needs(target: Target) -> list[Json]:
    """Sub-tasks before this one without whose calls its own does not do what it should."""
    earlier = [other.task for other in others(target, before=True)]
    return [other for other in earlier if not target.answers(without=other["id"])]


def _ancestors(spec: Json, task: Json) -> set[int]:
    """What a sub-task says that it needs, directly or not."""
    known = {each["id"]: each for each in spec["subtasks"]}
    return {found for each in task["depends_on"] for found in (each, *_ancestors(spec, known[each]))}


def _unsaid(name: str, held_out: bool) -> Callable[[Callable[[Target, list[Json]], None]], None]:
    """A way to leave a dependency out, of a sub-task that needs all of these."""

    def add(leave_out: Callable[[Target, list[Json]], None]) -> None:
        def damage(target: Target) -> None:
            if not target.stateful or not (needed := _needs(target)):
                raise DoesNotFit
            leave_out(target, needed)
            if {task["id"] for task in needed} <= _ancestors(target.spec, target.task):
                raise DoesNotFit  # it is said by way of another one
            target.spec["topology"] = topology_of({t["id"]: t["depends_on"] for t in target.spec["subtasks"]}).value

        VARIANTS.append(Variant("undeclared", name, damage, held_out))

    return add


@_unsaid("left_out", held_out=False)
def _(target: Target, needed: list[Json]) -> None:
    target.task["depends_on"] = []


@_unsaid("another_instead", held_out=False)
def _(target: Target, needed: list[Json]) -> None:
    rest = [other.task["id"] for other in others(target, before=True) if other.task not in needed]
    if not rest:
        raise DoesNotFit
    target.task["depends_on"] = [target.draw.choice(rest)]


@_unsaid("cut_before", held_out=True)
def _(target: Target, needed: list[Json]) -> None:
    """One between the two says that it needs nothing."""
    between = [
        task for task in target.spec["subtasks"] if task["id"] in target.task["depends_on"] and task not in needed
    ]
    if not between:
        raise DoesNotFit
    target.draw.choice(between)["depends_on"] = []
