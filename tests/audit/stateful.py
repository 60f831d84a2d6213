"""Defects of tools that share a state: they change nothing, look into one of their own, tell too much, leave a mess.

That the prompt says what the end is to be is no defect, and is not among them.
"""

from collections.abc import Iterator
from typing import Any

from astra_proto.state import NotThere, pointer_tokens, value_at

from tests.audit.damage import VARIANTS, DoesNotFit, Target, Variant

PUT = """def _put(where, keys, value):
    for key in keys[:-1]:
        where = where[int(key) if isinstance(where, list) else key]
    where[int(keys[-1]) if isinstance(where, list) else keys[-1]] = value


"""
"""Code that puts a value where a row of keys leads."""


def end_of(target: Target) -> list[str]:
    """The keys that lead to the end of the sub-task; its last one may be new, the record that it is in is not."""
    if target.task.get("state_path") is None:
        raise DoesNotFit
    keys = [*pointer_tokens(target.task["state_path"])]
    try:
        value_at(target.spec["state"], tuple(keys[:-1]))
    except NotThere:
        raise DoesNotFit from None
    return keys


def needs_an_answer(target: Target) -> None:
    """Raise DoesNotFit but for a sub-task of a stateful arena whose answer is said by its call."""
    if not target.stateful or target.task.get("state_path") is not None:
        raise DoesNotFit


def others(target: Target, *, before: bool) -> list[Target]:
    """Sub-tasks with tools of their own that stand before, or behind, this one."""
    tasks = target.spec["subtasks"]
    at = tasks.index(target.task)
    found = tasks[:at] if before else tasks[at + 1 :]
    return [Target(target.spec, task, target.draw) for task in found if task["tool"] != target.name]


def another(target: Target, *, before: bool) -> Target:
    """One of these."""
    found = others(target, before=before)
    if not found:
        raise DoesNotFit
    return target.draw.choice(found)


def plays(target: Target) -> None:
    """Raise DoesNotFit where some golden call fails, of which the arena would be refused whatever else it is."""
    last = Target(target.spec, target.spec["subtasks"][-1], target.draw)
    try:
        last.played()
    except Exception:
        raise DoesNotFit from None


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What says something in a state, each with its JSON pointer."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif value not in (None, "", True, False):
        yield path, value


def changed(kind: str, name: str, held_out: bool, body: str, head: str = "") -> None:
    """The tool of an end-state check with this around it; ``KEYS`` lead to its end."""

    def damage(target: Target) -> None:
        keys = end_of(target)
        target.wrap(body.replace("KEYS", repr(keys)), head + PUT * ("_put(" in body))

    VARIANTS.append(Variant(kind, name, damage, held_out))


# ---- a tool that does not do what it says

changed("changes_nothing", "says_that_it_is_done", False, "return {'done': True, 'for': str(FIRST)}")
changed("changes_nothing", "on_a_copy", False, "state = copy.deepcopy(state)\nreturn INNER", "import copy\n")
changed("changes_nothing", "elsewhere", True,
         "state.setdefault('pending', []).append(ARGS)\nreturn {'accepted': str(FIRST)}")  # fmt: skip
changed(
    "changes_nothing",
    "puts_it_back",
    True,
    "old = copy.deepcopy(state)\nfound = INNER\nstate.clear()\nstate.update(old)\nreturn found",
    "import copy\n",
)
changed(
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
        needs_an_answer(target)
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
    False,
    "try:\n    return INNER\nexcept Exception:\n    state = copy.deepcopy(STATE)\n    return INNER",
)
_own("beneath_the_state", True, "state = {**state, **copy.deepcopy(STATE)}\nreturn INNER")


# ---- what is told of a later sub-task


def _tells(name: str, held_out: bool, body: str) -> None:
    def damage(target: Target) -> None:
        needs_an_answer(target)
        that = repr(target.telling())
        another(target, before=True).wrap(body.replace("THAT", that))
        plays(target)

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
    changed(
        "unsteady_state", _name, _held_out, f"found = INNER\nstate['mark'] = {_value}\nreturn found",
        f"import {_import}\n",
    )  # fmt: skip
