"""What arenas are made of, and what is different between them."""

from astra_datasets.comparing import compare, unified
from astra_datasets.mix import Facts, mix
from astra_proto.arenas import Arena, ArenaSpec, Split


def test_a_mix_is_counted_beside_the_papers(arenas: list[Arena]) -> None:
    found = mix(Facts.of_spec(arena.spec) for arena in arenas)
    assert (found.arenas, found.subtasks.total, found.subtasks.max) == (2, 4, 2)
    assert found.by["language"]["zh"].model_dump() == {"count": 1, "share": 0.5, "paper": 0.288}
    assert found.by["topology"]["single_hop"].count == 0, "what the paper has and we have not is told too"
    assert list(found.by["hops"]) == ["1", "2"]
    assert found.by["domain"]["payroll"].paper is None
    assert mix([]).arenas == 0


def test_a_domain_is_known_however_it_is_spelled(library: ArenaSpec) -> None:
    spelled = library.model_copy(update={"domain": "Real Estate"})
    assert mix([Facts.of_spec(spelled)]).by["domain"]["Real Estate"].paper == 0.156


def test_the_same_arena_has_no_difference(library: ArenaSpec) -> None:
    moved = library.model_copy(update={"split": Split.TEST})
    found = compare(library, None, moved, None)
    assert found.same
    assert [change.name for change in found.fields] == ["split"]
    assert found.prompt + found.tools + found.distractors + found.subtasks + found.checks == []


def test_every_part_that_is_different_is_told(arenas: list[Arena], library: ArenaSpec) -> None:
    first, second = arenas
    found = compare(first.spec, first.soundness, second.spec, second.soundness)
    assert not found.same
    assert {change.name for change in found.fields} >= {"domain", "language", "topology", "provenance"}
    assert [change.how for change in found.tools] == ["only in the first"] * 2 + ["only in the second"]
    assert found.prompt
    assert found.checks == []
    failed, *held = first.soundness.checks
    worse = first.soundness.model_copy(update={"checks": [failed.model_copy(update={"passed": False}), *held]})
    (check,) = compare(first.spec, first.soundness, first.spec, worse).checks
    assert check.diff[1:3] == ["-passed", "+failed"]


def test_lines_that_look_like_a_header_are_kept() -> None:
    assert unified("-- a\nb", "++ c\nb")[1:] == ["--- a", "+++ c", " b"]
