"""Are two arenas of the offline teacher ever equal? ``python -m tests.arenas.distinct`` draws 5,000 and tells."""

import time
from collections import Counter
from typing import Annotated

import typer
from astra import console
from astra_proto.arenas import Topology
from astra_proto.traces import hop_levels, shape_problem
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.worlds import WORLDS

from tests.arenas import mix, stats

SHAPES: list[tuple[Topology | None, int | None]] = [
    (None, None),  # as the seed chooses
    *((topology, layers) for topology in Topology for layers in range(1, 7) if not shape_problem(topology, layers)),
]


def draw(number: int) -> stats.Distinct:
    """Draw one seed after another: from all worlds, in all of their languages, in each shape and depth by turns."""
    told = [(name, lang) for name, world in sorted(WORLDS.items()) for lang in mix.LANGUAGES if lang in world.languages]
    began = time.monotonic()
    found = set()
    languages, topologies, hops = ({name: Counter[str]() for name in WORLDS} for _ in range(3))
    for seed in range(number):
        name, language = told[seed % len(told)]
        topology, layers = SHAPES[seed // len(told) % len(SHAPES)]
        arena = draw_arena(name, seed, topology, layers, language)
        found.add(arena.id())
        languages[name][language] += 1
        topologies[name][arena.topology.value] += 1
        levels = hop_levels({task.id: task.depends_on for task in arena.subtasks})
        hops[name][str(max(levels.values()))] += 1
    return stats.Distinct(
        drawn=number,
        distinct=len(found),
        wall_s=round(time.monotonic() - began, 1),
        worlds={
            name: stats.World(
                drawn=languages[name].total(),
                languages=languages[name],
                topology=dict(sorted(topologies[name].items())),
                hops={int(deep): count for deep, count in sorted(hops[name].items())},
            )
            for name in sorted(WORLDS)
        },
    )


def main(count: Annotated[int, typer.Option(min=1, help="Arenas to draw.")] = 5_000) -> None:
    """Draw arenas by seed, without a sandbox, and say how many are not the same."""
    found = draw(count)
    rows = [
        (name, world.drawn, len(world.topology), f"{min(world.hops)} to {max(world.hops)}", "/".join(world.languages))
        for name, world in found.worlds.items()
        if world.drawn
    ]
    console.table("", ("world", "arenas", "shapes", "hops", "languages"), rows)
    console.say(f"{found.distinct} of {found.drawn} arenas are distinct; {found.wall_s:g} s.")
    if found.distinct < found.drawn:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
