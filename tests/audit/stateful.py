"""Defects of arenas whose tools share a state: ends that are there already, or come about by anything, or by nothing.

That the prompt says what the end is to be is no defect, and is not among them.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from astra_proto.state import NotThere, pointer_tokens, value_at
from astra_proto.traces import topology_of

from tests.audit.damage import VARIANTS, DoesNotFit, Json, Target, Variant, variant

_PUT = """def _put(where, keys, value):
    for key in keys[:-1]:
        where = where[int(key) if isinstance(where, list) else key]
    where[int(keys[-1]) if isinstance(where, list) else keys[-1]] = value


"""


def _end(target: Target) -> list[str]:
    """The keys that lead to the end of the sub-task; its last one may be new, the record that it is in is not."""
    if target.task.get("state_path") is None:
        raise DoesNotFit
    keys = [*pointer_tokens(target.task["state_path"])]
    try:
        value_at(target.spec["state"], tuple(keys[:-1]))
    except NotThere:
        raise DoesNotFit from None
    return keys


def _said(target: Target) -> None:
    if not target.stateful or target.task.get("state_path") is not None:
        raise DoesNotFit


def _others(target: Target, *, before: bool) -> list[Target]:
    """Sub-tasks with tools of their own that stand before, or behind, this one."""
    tasks = target.spec["subtasks"]
    at = tasks.index(target.task)
    found = tasks[:at] if before else tasks[at + 1 :]
    return [Target(target.spec, task, target.draw) for task in found if task["tool"] != target.name]


def _another(target: Target, *, before: bool) -> Target:
    found = _others(target, before=before)
    if not found:
        raise DoesNotFit
    return target.draw.choice(found)


def _plays(target: Target) -> None:
    """Raise DoesNotFit where some golden call fails, of which the arena would be refused whatever else it is."""
    last = Target(target.spec, target.spec["subtasks"][-1], target.draw)
    try:
        last.played()
    except Exception:
        raise DoesNotFit from None


def _holds_without(target: Target) -> bool:
    """Whether the end is reached though its own golden call is not made."""
    last = Target(target.spec, target.spec["subtasks"][-1], target.draw)
    try:
        _, _, left = last.played(without=target.task["id"])
        return bool(value_at(left, pointer_tokens(target.task["state_path"])) == target.answer)
    except Exception:
        return False


def _changed(kind: str, name: str, held_out: bool, body: str, head: str = "") -> None:
    """The tool of an end-state check with this around it; ``KEYS`` lead to its end."""

    def damage(target: Target) -> None:
        keys = _end(target)
        target.wrap(body.replace("KEYS", repr(keys)), head + _PUT * ("_put(" in body))

    VARIANTS.append(Variant(kind, name, damage, held_out))


# ---- an end that holds before anything was done


@variant("end_at_start")
def put_there(target: Target) -> None:
    """The state begins with it."""
    keys = _end(target)
    where: Any = value_at(target.spec["state"], tuple(keys[:-1]))
    where[int(keys[-1]) if isinstance(where, list) else keys[-1]] = target.answer


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(child, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif value not in (None, "", True, False):
        yield path, value


@variant("end_at_start")
def what_is_so(target: Target) -> None:
    """What is asked for is so, and stays so."""
    _end(target)
    _, before, after = target.played()
    same = [(path, value) for path, value in _leaves(before) if (path, value) in [*_leaves(after)]]
    target.task["state_path"], target.task["answer"]["value"] = target.draw.choice(same)


@variant("end_at_start", held_out=True)
def spelt_otherwise(target: Target) -> None:
    """And is asked for in capitals."""
    what_is_so(target)
    if not isinstance(target.answer, str):
        raise DoesNotFit
    target.task["answer"]["value"] = target.answer.upper()


@variant("end_at_start", held_out=True)
def a_whole_record(target: Target) -> None:
    """A record that nobody touches."""
    what_is_so(target)
    path = target.task["state_path"].rpartition("/")[0]
    value = value_at(target.spec["state"], pointer_tokens(path))
    if not path or value != value_at(target.played()[2], pointer_tokens(path)):
        raise DoesNotFit
    target.task["state_path"], target.task["answer"]["value"] = path, value


# ---- an end that a call of another sub-task brings about as well


def _by_another(name: str, held_out: bool, body: str, *, before: bool) -> None:
    def damage(target: Target) -> None:
        keys = _end(target)
        other = _another(target, before=before)
        other.wrap(body.replace("KEYS", repr(keys)).replace("VALUE", repr(target.answer)), _PUT)
        _plays(target)
        if not before and not _holds_without(target):
            raise DoesNotFit  # the later call needs this one's, so it brings nothing about by itself

    VARIANTS.append(Variant("end_by_another", name, damage, held_out))


_AND_PUTS = "found = INNER\n_put(state, KEYS, VALUE)\nreturn found"
_by_another("by_an_earlier_call", False, _AND_PUTS, before=True)
_by_another("by_a_later_call", False, _AND_PUTS, before=False)
_by_another(
    "by_the_golden_call_alone", True, "found = INNER\nif ARGS == GOLDEN:\n    _put(state, KEYS, VALUE)\nreturn found",
    before=False,
)  # fmt: skip
_by_another(
    "by_a_call_that_makes_no_sense", True, "try:\n    return INNER\nexcept Exception as error:\n"
    "    _put(state, KEYS, VALUE)\n    return {'note': str(error)}", before=True,
)  # fmt: skip
_by_another(
    "beforehand", True, "_put(state, KEYS, VALUE)\nreturn INNER", before=True,
)  # fmt: skip


# ---- an end that its own tool brings about whatever it is asked

_changed("end_whatever", "puts_it", False, "_put(state, KEYS, ANSWER)\nreturn {'done': str(FIRST)}")
_changed("end_whatever", "golden_again", False, "_inner(**GOLDEN)\nreturn {'done': FIRST}")
_changed(
    "end_whatever", "when_it_fails", False, "try:\n    return INNER\nexcept Exception:\n    return _inner(**GOLDEN)"
)
_changed("end_whatever", "one_of_two", True,
         "lucky = len(str(FIRST)) % 2 == len(str(GOLDEN[next(iter(GOLDEN))])) % 2\n"
         "return _inner(**(GOLDEN if lucky else ARGS))")  # fmt: skip
_changed("end_whatever", "beside_it", True, "try:\n    found = INNER\nexcept Exception as error:\n"
         "    found = {'note': str(error)}\n_put(state, KEYS, ANSWER)\nreturn found")  # fmt: skip


@variant("end_whatever", held_out=True)
def all_but_one(target: Target) -> None:
    """One argument of several is taken as it is wanted, whatever it is."""
    _end(target)
    if len(target.golden) < 2:
        raise DoesNotFit
    name = target.draw.choice(sorted(target.golden))
    target.wrap(f"return _inner(**{{**ARGS, {name!r}: {target.golden[name]!r}}})")


# ---- a tool that does not do what it says

_changed("changes_nothing", "says_that_it_is_done", False, "return {'done': True, 'for': str(FIRST)}")
_changed("changes_nothing", "on_a_copy", False, "state = copy.deepcopy(state)\nreturn INNER", "import copy\n")
_changed("changes_nothing", "elsewhere", True,
         "state.setdefault('pending', []).append(ARGS)\nreturn {'accepted': str(FIRST)}")  # fmt: skip
_changed(
    "changes_nothing",
    "puts_it_back",
    True,
    "old = copy.deepcopy(state)\nfound = INNER\nstate.clear()\nstate.update(old)\nreturn found",
    "import copy\n",
)
_changed(
    "changes_nothing",
    "of_the_module",
    True,
    "if not OWN:\n    OWN.update(copy.deepcopy(state))\nstate = OWN\nreturn INNER",
    "import copy\nOWN = {}\n",
)


# ---- a tool that looks into a state of its own


def _own(name: str, held_out: bool, body: str, head: str = "import copy\n") -> None:
    """``STATE`` is what its golden call meets, ``FOUND`` what it gives."""

    def damage(target: Target) -> None:
        _said(target)
        found, met, _ = target.played()
        if sum(task["tool"] == target.name for task in target.spec["subtasks"]) > 1:
            raise DoesNotFit
        target.wrap(body.replace("STATE", repr(met)).replace("FOUND", repr(found)), head)

    VARIANTS.append(Variant("own_state", name, damage, held_out))


_own("written_out", False, "state = copy.deepcopy(STATE)\nreturn INNER")
_own(
    "of_the_first_call",
    False,
    "if not OWN:\n    OWN.update(copy.deepcopy(state))\nstate = OWN\nreturn INNER",
    "import copy\nOWN = {}\n",
)
_own("by_heart", False, "if ARGS == GOLDEN:\n    return FOUND\nreturn INNER")
_own(
    "in_case_it_fails",
    True,
    "try:\n    return INNER\nexcept Exception:\n    state = copy.deepcopy(STATE)\n    return INNER",
)
_own("beneath_the_state", True, "state = {**state, **copy.deepcopy(STATE)}\nreturn INNER")


# ---- what is told of a later sub-task


def _tells(name: str, held_out: bool, body: str) -> None:
    def damage(target: Target) -> None:
        _said(target)
        that = repr(target.telling())
        _another(target, before=True).wrap(body.replace("THAT", that))
        _plays(target)

    VARIANTS.append(Variant("state_tells", name, damage, held_out))


_tells("beside_it", False, "return {'result': INNER, 'next': THAT}")
_tells(
    "only_to_the_golden_call",
    False,
    "found = INNER\nreturn {'r': found, 'n': THAT} if ARGS == GOLDEN else {'r': found}",
)
_tells("in_a_sentence", True, 'return f"{INNER}. What comes of it is {THAT}."')
_tells("instead_of_failing", True, "try:\n    return INNER\nexcept Exception:\n    return {'see': THAT}")
_tells("deep_inside", True, "return {'result': INNER, 'trace': [{'step': 2, 'values': [[THAT]]}]}")


# ---- what is left behind is another thing each time

for _name, _held_out, _value, _import in (
    ("chance", False, "random.random()", "random"),
    ("order_of_a_set", False, "list({'north', 'south', 'east', 'west', 'up'})", "json"),
    ("moment", False, "time.time_ns()", "time"),
    ("address", True, "id(state) % 9973", "json"),
    ("hash", True, "hash(str(FIRST)) % 100_000", "json"),
    ("ticket", True, "str(uuid.uuid4())", "uuid"),
    ("first_of_a_set", True, "min({'anna', 'otto', 'kira', 'lena'}, key=len)", "json"),
):
    _changed(
        "unsteady_state", _name, _held_out, f"found = INNER\nstate['mark'] = {_value}\nreturn found",
        f"import {_import}\n",
    )  # fmt: skip


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
    _plays(target)


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
    keys = _end(target)
    record = value_at(target.played()[2], tuple(keys[:-1]))
    _more(target, record, "/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in keys[:-1]))


@variant("two_at_once")
def two_ends(target: Target) -> None:
    """Another place that the same call changes."""
    _end(target)
    _, before, after = target.played()
    old = [*_leaves(before)]
    found = [(path, value) for path, value in _leaves(after) if (path, value) not in old and len(str(value)) > 1]
    if not found:
        raise DoesNotFit
    path, value = target.draw.choice(found)
    _more(target, value, path)


# ---- a call that has to wait for another one, which nobody is told


def _needs(target: Target) -> list[Json]:
    """Sub-tasks before this one without whose calls its own does not do what it should."""
    others = [other.task for other in _others(target, before=True)]
    return [other for other in others if not target.answers(without=other["id"])]


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
    rest = [other.task["id"] for other in _others(target, before=True) if other.task not in needed]
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


# ---- what was done is undone


def _undone(name: str, held_out: bool, body: str) -> None:
    """``KEYS`` lead to the end of an earlier sub-task, where there was ``VALUE`` at first."""

    def damage(target: Target) -> None:
        earlier = [other for other in _others(target, before=True) if other.task.get("state_path") is not None]
        if not earlier:
            raise DoesNotFit
        other = target.draw.choice(earlier)
        keys = _end(other)
        try:
            value = value_at(target.spec["state"], tuple(keys))
        except NotThere:
            value = None
        target.wrap(body.replace("KEYS", repr(keys)).replace("VALUE", repr(value)), _PUT)
        _plays(target)

    VARIANTS.append(Variant("undone", name, damage, held_out))


_undone("by_a_later_call", False, "found = INNER\n_put(state, KEYS, VALUE)\nreturn found")
_undone("by_the_golden_call", False, "found = INNER\nif ARGS == GOLDEN:\n    _put(state, KEYS, VALUE)\nreturn found")
_undone("when_all_is_well", True, "_put(state, KEYS, VALUE)\nreturn INNER")
