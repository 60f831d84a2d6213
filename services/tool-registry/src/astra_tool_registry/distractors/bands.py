"""Which band each tool of the registry falls into, and drawing from the bands (paper §4.3).

For each tool of the arena, its likeness to all others is stretched to [0, 1]. Above 0.85 is high, below 0.4 low. A tool
that falls into several bands, by several tools of the arena, is of the highest. Tools of the arena's own domain are
left out, and so are those that do the job of one of the arena's: an agent that calls them would not be wrong.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from astra_proto.distractors import Band, BandCounts, Distractor
from astra_proto.messages import FunctionSpec

from astra_tool_registry.distractors.similarity import cosine, vectors
from astra_tool_registry.graphs.words import pieces

HIGH = 0.85
LOW = 0.4

_SAME_JOB = 0.9
"""Likeness, before it is stretched, from which on two tools do the same."""


@dataclass(frozen=True)
class Candidate:
    """A tool of the registry."""

    server_id: str
    domain: str
    function: FunctionSpec


def same_domain(one: str, other: str) -> bool:
    """Whether two names of domains name one field: all words of one are in the other.

    >>> same_domain("banking", "Retail banking"), same_domain("banking", "email")
    (True, False)
    """
    a, b = set(pieces(one)), set(pieces(other))
    return (a <= b or b <= a) if a and b else one.casefold() == other.casefold()


def by_band(
    tools: Sequence[FunctionSpec], domain: str, taken: Iterable[str], pool: Sequence[Candidate]
) -> Mapping[Band, list[Distractor]]:
    """The tools of the pool that may be drawn, by band and name; of two of one name, the first by server."""
    pool = sorted(pool, key=lambda each: (each.server_id, each.function.name))
    found = vectors([*tools, *(each.function for each in pool)])
    own, others = found[: len(tools)], found[len(tools) :]
    raw = [[cosine(mine, other) for other in others] for mine in own]
    stretched = [_stretch(row) for row in raw]
    names = {name.casefold() for name in (*taken, *(tool.name for tool in tools))}
    jobs = {tuple(sorted(pieces(tool.name))) for tool in tools}
    bands: dict[Band, list[Distractor]] = defaultdict(list)
    for at, each in enumerate(pool):
        name = each.function.name
        if (
            name.casefold() in names
            or same_domain(domain, each.domain)
            or tuple(sorted(pieces(name))) in jobs
            or max(row[at] for row in raw) >= _SAME_JOB
        ):
            continue
        names.add(name.casefold())
        likeness = max(row[at] for row in stretched)
        band = Band.HIGH if likeness > HIGH else Band.LOW if likeness < LOW else Band.MEDIUM
        bands[band].append(
            Distractor(
                server_id=each.server_id, name=name, band=band, similarity=round(likeness, 6), function=each.function
            )
        )
    return bands


def draw(bands: Mapping[Band, list[Distractor]], counts: BandCounts, seed: int) -> list[Distractor]:
    """Uniformly, as many as were asked for or as there are; the same for the same seed."""
    chosen: list[Distractor] = []
    for band in Band:
        there = bands.get(band, [])
        wanted = min(getattr(counts, band.value), len(there))
        chosen += sorted(random.Random(f"{seed}/{band}").sample(there, wanted), key=lambda each: each.name)
    return chosen


def _stretch(row: Sequence[float]) -> list[float]:
    low, high = min(row, default=0.0), max(row, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.0 for value in row]
