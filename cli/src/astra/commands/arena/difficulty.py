"""`astra arena difficulty`: how hard the published arenas were found to be."""

from typing import Annotated

import typer
from astra_datasets.difficulty import Difficulty, Hardness, difficulty
from astra_proto.arenas import ArenaView
from astra_service.client import ApiClient

from astra import console
from astra.commands.arena.catalogue import OfDomain, OfSplit
from astra.commands.arena.group import app
from astra.commands.arena.rates import percent
from astra.connect import Json, command
from astra.paging import items

EMPTY = "No policy was measured in them. `astra eval run base:scratch` measures one, and so does every evaluation."


@command(app, "difficulty")
async def arena_difficulty(
    envs: ApiClient,
    split: OfSplit = None,
    domain: OfDomain = None,
    weak: Annotated[str | None, typer.Option(help="Policy to compare; default: the one that solves least.")] = None,
    strong: Annotated[str | None, typer.Option(help="With this one; default: the one that solves most.")] = None,
    as_json: Json = False,
) -> None:
    """How often each policy that was evaluated solves the arenas, by shape and hops; a weak and a strong one compared.

    Example: astra arena difficulty --split test --weak base:scratch
    """
    found = [Hardness.of_view(view) async for view in items(envs, "/arenas", ArenaView, split=split, domain=domain)]
    told = difficulty(found, weak, strong)
    if as_json:
        console.emit(told)
    else:
        show_difficulty(told)


def show_difficulty(told: Difficulty) -> None:
    """The figures as tables."""
    console.say(f"{told.arenas} arenas, measured in {told.measured} of them.")
    rows = [(name, r.arenas, r.episodes, percent(r.solve_rate), r.f1) for name, r in told.policies.items()]
    console.table("\nBy policy", ("policy", "arenas", "episodes", "solved", "F1"), rows, empty=EMPTY)
    if not rows:
        return
    if sides := told.sides:
        console.say(
            f"\nIn more than half of its episodes {sides.weak} (weak) solves {sides.both + sides.weak_only}, "
            f"{sides.strong} (strong) {sides.both + sides.strong_only} of the "
            f"{sides.both + sides.strong_only + sides.weak_only + sides.neither} arenas in which both were measured: "
            f"{sides.strong_only} the strong one alone, {sides.both} both, {sides.weak_only} the weak one alone, "
            f"{sides.neither} neither."
        )
    shapes = [
        (shape.topology, shape.hops, shape.arenas, *(percent(shape.solve_rates.get(name)) for name in told.policies))
        for shape in told.by_shape
    ]
    console.table("\nSolved, by shape", ("shape", "hops", "arenas", *told.policies), shapes)
