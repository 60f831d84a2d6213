"""The worlds as files: what they have, what is said of a bad one, and that none gets into another's way."""

from importlib.resources import files

import pytest
from astra_proto.arenas import Topology
from astra_synth_worker.teacher import draw
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.reading import BadWorld, read_world
from astra_synth_worker.teacher.worlds import WORLDS

RETAIL = files("astra_synth_worker.teacher.worlds").joinpath("retail.toml").read_text(encoding="utf-8")


def test_there_are_twelve_worlds_all_of_them_also_told_in_chinese() -> None:
    assert len(WORLDS) >= 12
    assert all({"en", "zh"} <= {*world.languages} for world in WORLDS.values())
    assert {name for name, world in WORLDS.items() if world.plain} == {"clinic", "library", "logistics", "retail"}


def test_tool_names_are_of_one_world_only() -> None:
    names = [kind.name for world in WORLDS.values() for kind in world.kinds]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_a_worlds_tools_hang_together(name: str) -> None:
    world = WORLDS[name]
    assert len(world.kinds) >= 6
    assert name not in world.neighbours
    assert set(world.neighbours) <= set(WORLDS)
    used = {thing for kind in world.kinds for thing in (*kind.needs, kind.gives)}
    assert used == set(world.things)
    for kind in world.kinds:
        for words in kind.words.values():
            assert len(set(words.asks)) >= 3
            assert len(set(words.phrases)) >= 3


def test_no_two_of_hundreds_of_seeds_and_shapes_give_the_same_arena() -> None:
    shapes = [(None, None), (Topology.MULTI_HOP, 6), (Topology.PARALLEL_MULTI_HOP, 5), (Topology.SINGLE_HOP, 1)]
    drawn = [
        draw_arena(name, seed, *shapes[seed % len(shapes)], language).id()
        for name, world in WORLDS.items()
        for language in world.languages
        for seed in range(20)
    ]
    assert len(drawn) >= 20 * 12
    assert len(set(drawn)) == len(drawn)


def test_a_new_world_changes_no_arena_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [draw_arena(name, seed).id() for name in WORLDS for seed in range(10)]
    more = {"aaa": read_world("aaa", RETAIL), **WORLDS, "zzz": read_world("zzz", RETAIL)}
    monkeypatch.setattr(draw, "WORLDS", more)
    assert [draw_arena(name, seed).id() for name in WORLDS for seed in range(10)] == before


def test_deep_questions_have_long_arms_and_up_to_twice_their_layers() -> None:
    sizes = {len(draw_arena("travel", seed, Topology.PARALLEL_MULTI_HOP, 6).subtasks) for seed in range(60)}
    assert min(sizes) <= 7
    assert max(sizes) >= 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("lookup: order -> item", "lookup: order -> wish"), "does: there are no things ..wish.."),
        (("lookup: order -> item", "guess: order -> item"), "tools.item_of_order.does: 'guess: order -> item' is not"),
        (("lookup: order -> item", "scale: order -> item"), "scale takes 2 arguments, not 1"),
        (("What is {order} for?", "What is it for?"), "'What is it for\\?' must have each of the slots"),
        (('names = "goods"', 'names = "bads"'), "things.item.names: there are no 'bads'"),
        (('names = "goods"', 'names = "goods", code = "A"'), "things.item: give exactly one of"),
        (('rank = "rating"', ""), "tools.best_item.rank"),
        (("neighbours", "neighbors"), "'neighbours' is missing"),
        (("[openings]", "[openings"), "world retail: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_world_is_said(change: tuple[str, str], message: str) -> None:
    assert change[0] in RETAIL
    with pytest.raises(BadWorld, match=message):
        read_world("retail", RETAIL.replace(*change))
