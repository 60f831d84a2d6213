"""How hard arenas were found to be: by shape and depth, for each policy that was measured in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from astra_proto.arenas import ArenaView
from astra_proto.errors import NotFound
from astra_proto.solve_rates import Measured
from pydantic import BaseModel

SOLVES = 0.5
"""A policy that solves an arena in more than this share of its episodes can solve it."""


class PolicyRate(BaseModel):
    """What one policy reached over arenas, each of them weighing the same."""

    arenas: int
    """In which it was measured."""
    episodes: int
    solve_rate: float
    f1: float


class ShapeRates(BaseModel):
    """Arenas of one shape and depth."""

    topology: str
    hops: int
    arenas: int
    solve_rates: dict[str, float]
    """By policy; one that was measured in none of them is left out."""


class Sides(BaseModel):
    """How many of the arenas in which both were measured a weak and a strong policy can solve."""

    weak: str
    strong: str
    both: int
    strong_only: int
    """Where there is something to learn, and it can be learnt."""
    weak_only: int
    neither: int


class Difficulty(BaseModel):
    """What is known of how hard arenas are."""

    arenas: int
    measured: int
    """Arenas in which at least one policy was."""
    policies: dict[str, PolicyRate]
    """The weakest first."""
    sides: Sides | None
    """Null where fewer than two policies were measured."""
    by_shape: list[ShapeRates]


@dataclass(frozen=True)
class Hardness:
    """What of an arena is looked at."""

    topology: str
    hops: int
    solve_rates: Mapping[str, Measured]

    @classmethod
    def of_view(cls, view: ArenaView) -> Self:
        """That of an arena in the catalogue."""
        return cls(view.topology, view.hops, view.solve_rates)


def policy_rates(found: Iterable[Mapping[str, Measured]]) -> dict[str, PolicyRate]:
    """Each policy over its arenas, the weakest first."""
    by_policy: dict[str, list[Measured]] = {}
    for rates in found:
        for policy, rate in rates.items():
            by_policy.setdefault(policy, []).append(rate)
    made = {
        policy: PolicyRate(
            arenas=len(rates),
            episodes=sum(rate.episodes for rate in rates),
            solve_rate=fmean(rate.solve_rate for rate in rates),
            f1=fmean(rate.f1 for rate in rates),
        )
        for policy, rates in by_policy.items()
    }
    return dict(sorted(made.items(), key=lambda item: (item[1].solve_rate, item[1].f1, item[0])))


def difficulty(arenas: Sequence[Hardness], weak: str | None = None, strong: str | None = None) -> Difficulty:
    """Count it. ``weak`` and ``strong`` are the two to compare, else the weakest and the strongest. Raises NotFound."""
    policies = policy_rates(arena.solve_rates for arena in arenas)
    for name in (weak, strong):
        if name is not None and name not in policies:
            raise NotFound(f"no policy {name!r} was measured in these arenas: there are {sorted(policies)}")
    return Difficulty(
        arenas=len(arenas),
        measured=sum(bool(arena.solve_rates) for arena in arenas),
        policies=policies,
        sides=_sides(arenas, [*policies], weak, strong),
        by_shape=_by_shape(arenas),
    )


def _sides(arenas: Sequence[Hardness], policies: Sequence[str], weak: str | None, strong: str | None) -> Sides | None:
    first = weak or next((name for name in policies if name != strong), None)
    last = strong or next((name for name in reversed(policies) if name != first), None)
    if first is None or last is None:
        return None
    pairs = [
        (arena.solve_rates[first].solve_rate > SOLVES, arena.solve_rates[last].solve_rate > SOLVES)
        for arena in arenas
        if first in arena.solve_rates and last in arena.solve_rates
    ]
    return Sides(
        weak=first,
        strong=last,
        both=pairs.count((True, True)),
        strong_only=pairs.count((False, True)),
        weak_only=pairs.count((True, False)),
        neither=pairs.count((False, False)),
    )


def _by_shape(arenas: Sequence[Hardness]) -> list[ShapeRates]:
    shapes = sorted({(arena.topology, arena.hops) for arena in arenas})
    return [_shape(topology, hops, [a for a in arenas if (a.topology, a.hops) == (topology, hops)])
            for topology, hops in shapes]  # fmt: skip


def _shape(topology: str, hops: int, arenas: Sequence[Hardness]) -> ShapeRates:
    rates = policy_rates(arena.solve_rates for arena in arenas)
    return ShapeRates(
        topology=topology,
        hops=hops,
        arenas=len(arenas),
        solve_rates={policy: rate.solve_rate for policy, rate in rates.items()},
    )
