"""Defects of ends: they are there already, or come about by anything, or are undone."""

from typing import Any

from astra_proto.state import NotThere, pointer_tokens, value_at

from tests.audit.damage import VARIANTS, DoesNotFit, Target, Variant, variant
from tests.audit.stateful import PUT, another, changed, end_of, leaves, others, plays


def _holds_without(target: Target) -> bool:
    """Whether the end is reached though its own golden call is not made."""
    last = Target(target.spec, target.spec["subtasks"][-1], target.draw)
    try:
        _, _, left = last.played(without=target.task["id"])
        return bool(value_at(left, pointer_tokens(target.task["state_path"])) == target.answer)
    except Exception:
        return False


# ---- an end that holds before anything was done


@variant("end_at_start")
def put_there(target: Target) -> None:
    """The state begins with it."""
    keys = end_of(target)
    where: Any = value_at(target.spec["state"], tuple(keys[:-1]))
    where[int(keys[-1]) if isinstance(where, list) else keys[-1]] = target.answer


@variant("end_at_start")
def what_is_so(target: Target) -> None:
    """What is asked for is so, and stays so."""
    end_of(target)
    _, before, after = target.played()
    same = [(path, value) for path, value in leaves(before) if (path, value) in [*leaves(after)]]
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
        keys = end_of(target)
        other = another(target, before=before)
        other.wrap(body.replace("KEYS", repr(keys)).replace("VALUE", repr(target.answer)), PUT)
        plays(target)
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

changed("end_whatever", "puts_it", False, "_put(state, KEYS, ANSWER)\nreturn {'done': str(FIRST)}")
changed("end_whatever", "golden_again", False, "_inner(**GOLDEN)\nreturn {'done': FIRST}")
changed(
    "end_whatever", "when_it_fails", False, "try:\n    return INNER\nexcept Exception:\n    return _inner(**GOLDEN)"
)
changed("end_whatever", "one_of_two", True,
         "lucky = len(str(FIRST)) % 2 == len(str(GOLDEN[next(iter(GOLDEN))])) % 2\n"
         "return _inner(**(GOLDEN if lucky else ARGS))")  # fmt: skip
changed("end_whatever", "beside_it", True, "try:\n    found = INNER\nexcept Exception as error:\n"
         "    found = {'note': str(error)}\n_put(state, KEYS, ANSWER)\nreturn found")  # fmt: skip


@variant("end_whatever", held_out=True)
def all_but_one(target: Target) -> None:
    """One argument of several is taken as it is wanted, whatever it is."""
    end_of(target)
    if len(target.golden) < 2:
        raise DoesNotFit
    name = target.draw.choice(sorted(target.golden))
    target.wrap(f"return _inner(**{{**ARGS, {name!r}: {target.golden[name]!r}}})")


# ---- what was done is undone


def _undone(name: str, held_out: bool, body: str) -> None:
    """``KEYS`` lead to the end of an earlier sub-task, where there was ``VALUE`` at first."""

    def damage(target: Target) -> None:
        earlier = [other for other in others(target, before=True) if other.task.get("state_path") is not None]
        if not earlier:
            raise DoesNotFit
        other = target.draw.choice(earlier)
        keys = end_of(other)
        try:
            value = value_at(target.spec["state"], tuple(keys))
        except NotThere:
            value = None
        target.wrap(body.replace("KEYS", repr(keys)).replace("VALUE", repr(value)), PUT)
        plays(target)

    VARIANTS.append(Variant("undone", name, damage, held_out))


_undone("by_a_later_call", False, "found = INNER\n_put(state, KEYS, VALUE)\nreturn found")
_undone("by_the_golden_call", False, "found = INNER\nif ARGS == GOLDEN:\n    _put(state, KEYS, VALUE)\nreturn found")
_undone("when_all_is_well", True, "_put(state, KEYS, VALUE)\nreturn INNER")
