"""Sound arenas: the offline teacher's of every world, shape, depth and language, and those that lie in files.

Of the worlds with a state as well.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from astra_proto.arenas import ArenaSpec, Topology
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.stateful.draw import draw_stateful_arena
from astra_synth_worker.teacher.stateful.worlds import STATEFUL
from astra_synth_worker.teacher.worlds import WORLDS

from tests.audit.damage import Json

ROOT = Path(__file__).parent.parent.parent
FOLDERS = (ROOT / "services" / "env-server" / "examples", Path(__file__).parent / "arenas")
"""An arena written by hand, and arenas whose questions, tools and code a language model wrote."""


def from_files() -> list[Json]:
    """The arenas of the folders."""
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]
    return [ArenaSpec.model_validate_json(path.read_text(encoding="utf-8")).model_dump(mode="json") for path in paths]


def from_teacher(seed: int) -> Iterator[Json]:
    """An endless row of arenas, world after world; shapes, depths and languages in turn. Another seed, other arenas."""
    draw = random.Random(seed)
    shapes: list[tuple[Topology | None, int | None]] = [
        (None, None), (Topology.SINGLE_HOP, 1), (Topology.PARALLEL_SINGLE_HOP, 1), (Topology.MULTI_HOP, 2),
        (Topology.MULTI_HOP, 3), (Topology.PARALLEL_MULTI_HOP, 2), (Topology.PARALLEL_MULTI_HOP, 3),
        (Topology.MULTI_HOP, 4), (Topology.MULTI_HOP, 5), (Topology.MULTI_HOP, 6), (Topology.PARALLEL_MULTI_HOP, None),
    ]  # fmt: skip
    worlds = [(name, draw_arena, [*WORLDS[name].languages]) for name in sorted(WORLDS)]
    worlds += [(name, draw_stateful_arena, [*STATEFUL[name].openings]) for name in sorted(STATEFUL)]
    while True:
        for name, drawn, languages in worlds:
            topology, hops = draw.choice(shapes)
            language = draw.choice(languages)
            try:
                yield drawn(name, draw.randrange(10**9), topology, hops, language).model_dump(mode="json")  # type: ignore[arg-type]
            except ValueError:  # not every world has every shape
                continue
