"""`astra arena stats`: what the published arenas are."""

from astra_datasets.mix import PAPER_SUBTASKS, Facts, Mix, mix
from astra_proto.arenas import ArenaView
from astra_service.client import ApiClient

from astra import console
from astra.commands.arena.catalogue import OfDomain, OfSplit
from astra.commands.arena.group import app
from astra.commands.arena.rates import percent
from astra.connect import Json, command
from astra.paging import items


@command(app)
async def stats(envs: ApiClient, split: OfSplit = None, domain: OfDomain = None, as_json: Json = False) -> None:
    """What the published arenas are, by split, shape, hops, language, domain and teacher; the paper's mix beside it;
    and how often the policies that were evaluated solve them.

    Example: astra arena stats --split train
    """
    views = [view async for view in items(envs, "/arenas", ArenaView, split=split, domain=domain)]
    found = mix(Facts.of_view(view) for view in views)
    if as_json:
        console.emit(found)
    else:
        show(found)


def show(found: Mix) -> None:
    """The mix as tables."""
    if not found.arenas:
        console.say("No such arenas. Have some made with `astra synth arenas DOMAIN`.", "dim")
        return
    size, paper = found.subtasks, PAPER_SUBTASKS
    console.say(
        f"{found.arenas} arenas, {size.total} sub-tasks: {size.mean:.2f} an arena (paper {paper['mean']:.2f}), "
        f"median {size.median:g} ({paper['median']:g}), {size.min} to {size.max} "
        f"({paper['min']:g} to {paper['max']:g})"
    )
    for column, values in found.by.items():
        rows = [(value, share.count, percent(share.share), percent(share.paper)) for value, share in values.items()]
        console.table(f"\nBy {column}", (column, "arenas", "share", "paper"), rows)
    if found.policies:
        told = [(name, r.arenas, r.episodes, percent(r.solve_rate), r.f1) for name, r in found.policies.items()]
        console.table("\nMeasured", ("policy", "arenas", "episodes", "solved", "F1"), told)
