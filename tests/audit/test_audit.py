"""The audit in small: what is damaged is refused, what is sound is not, and the figures say what was seen."""

import copy
import random

import pytest

from tests.audit.damage import VARIANTS, Target
from tests.audit.goods import from_files, from_teacher
from tests.audit.run import Audit, Defective, audit, defectives

pytestmark = pytest.mark.anyio

KINDS = 15
SLOW = {"heavy"}
"""Kinds that take as long as the gate lets them."""


def test_there_are_many_kinds_of_defects_in_several_variants_and_many_are_held_out() -> None:
    kinds = {variant.kind for variant in VARIANTS}
    assert len(kinds) >= 2 * KINDS
    assert all(sum(variant.kind == kind for variant in VARIANTS) >= 3 for kind in kinds)
    assert all(any(v.held_out for v in VARIANTS if v.kind == kind) for kind in kinds)
    assert len({(variant.kind, variant.name) for variant in VARIANTS}) == len(VARIANTS)


def test_the_same_seed_gives_the_same_arenas_and_another_one_others() -> None:
    first, again, other = (from_teacher(seed) for seed in (1, 1, 2))
    assert [next(first) for _ in range(4)] == [next(again) for _ in range(4)] != [next(other) for _ in range(4)]


def test_a_fallback_that_no_call_reaches_is_no_defect() -> None:
    """The fine of the library's example never fails: its second argument is one of three, its first any number."""
    (spec,) = [spec for spec in from_files() if spec["provenance"]["source"] == "an example"]
    (variant,) = [v for v in VARIANTS if (v.kind, v.name) == ("fallback", "rescue")]
    for at, reached in ((0, True), (1, False)):
        copied = copy.deepcopy(spec)
        sound, target = (Target(each, each["subtasks"][at], random.Random(1)) for each in (spec, copied))
        variant.damage(target)
        assert any(target.said(strange) != sound.said(strange) for strange in sound.strange()) is reached


async def test_one_damaged_arena_of_each_kind_is_refused_and_sound_ones_are_not() -> None:
    kinds = sorted({variant.kind for variant in VARIANTS} - SLOW)
    sound = from_teacher(11)
    found = await audit(defectives(len(kinds), 7, kinds), [*from_files(), *(next(sound) for _ in range(6))])
    assert found.missed == []
    assert (found.defects, found.caught) == (len(kinds), len(kinds))
    assert found.by_kind == {kind: [1, 1] for kind in kinds}
    assert [(each["spec"]["provenance"], each["checks"]) for each in found.refused] == []
    assert found.good == len(from_files()) + 6
    assert found.gate_cpu_ms > 0


def test_a_defect_that_is_let_through_is_told() -> None:
    found = Audit()
    (variant,) = [v for v in VARIANTS if (v.kind, v.name) == ("constant", "plain")]
    found.note(Defective(variant, {"domain": "x"}), [])
    found.note(Defective(variant, {"domain": "x"}), [{"name": "sensitivity"}])
    assert (found.defects, found.caught, found.by_kind) == (2, 1, {"constant": [1, 2]})
    assert [(each["kind"], each["variant"]) for each in found.missed] == [("constant", "plain")]
    assert found.checks == {"sensitivity": 1}
