"""What a set of arenas is made of, beside what the paper's was made of (paper §1, scale)."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from astra_proto.arenas import ArenaSpec, ArenaView, SubTask
from astra_proto.solve_rates import Measured
from pydantic import BaseModel

from astra_datasets.difficulty import PolicyRate, policy_rates

PAPER: Mapping[str, Mapping[str, float]] = {
    "topology": {"parallel_multi_hop": 0.478, "multi_hop": 0.348, "parallel_single_hop": 0.106, "single_hop": 0.068},
    "language": {"en": 0.712, "zh": 0.288},
    "domain": {"real_estate": 0.156, "e_commerce": 0.106, "healthcare": 0.081},
}
"""Shares of the 6,596 RL instances that the paper tells; of the domains it names the largest three."""

PAPER_SUBTASKS = {"mean": 4.37, "median": 4.0, "min": 1, "max": 20}
"""The paper's "hops", which count sub-questions."""

COLUMNS = ("split", "topology", "hops", "language", "state", "domain", "teacher")

_STATE = {False: "stateless", True: "stateful"}


@dataclass(frozen=True)
class Facts:
    """What of an arena is counted."""

    split: str
    topology: str
    hops: int
    language: str
    domain: str
    teacher: str
    subtasks: int

    state: str
    """``stateful`` or ``stateless``."""

    solve_rates: Mapping[str, Measured] = field(default_factory=dict)
    """By policy."""

    @classmethod
    def of_view(cls, view: ArenaView) -> Self:
        """Those of an arena in the catalogue."""
        return cls(
            split=view.split,
            topology=view.topology,
            hops=view.hops,
            language=view.language,
            domain=view.domain,
            teacher=view.teacher,
            subtasks=view.subtask_count,
            state=_STATE[view.stateful],
            solve_rates=view.solve_rates,
        )

    @classmethod
    def of_spec(cls, spec: ArenaSpec, solve_rates: Mapping[str, Measured] | None = None) -> Self:
        """Those of an arena that is at hand whole."""
        return cls(
            split=spec.split,
            topology=spec.topology,
            hops=max(depths(spec.subtasks).values()),
            language=spec.language,
            domain=spec.domain,
            teacher=spec.provenance.teacher,
            subtasks=len(spec.subtasks),
            state=_STATE[spec.state is not None],
            solve_rates=solve_rates or {},
        )


class Share(BaseModel):
    """How many arenas have a value."""

    count: int
    share: float
    paper: float | None
    """The share that the paper's arenas of this value have; null where it tells none."""


class Spread(BaseModel):
    """How a number is spread over arenas."""

    total: int
    mean: float
    median: float
    min: int
    max: int
    paper: dict[str, float]


class Mix(BaseModel):
    """The counts of a set of arenas."""

    arenas: int
    subtasks: Spread
    by: dict[str, dict[str, Share]]
    """Column to value to share; values by count, hops by number."""
    policies: dict[str, PolicyRate]
    """What was measured in them, the weakest policy first."""


def depths(subtasks: Sequence[SubTask]) -> dict[int, int]:
    """How many calls must come before each sub-task's own, and itself: 1 for those that need nothing."""
    depth: dict[int, int] = {}
    for task in subtasks:
        depth[task.id] = 1 + max((depth[d] for d in task.depends_on), default=0)
    return depth


def mix(facts: Iterable[Facts]) -> Mix:
    """Count them."""
    found = list(facts)
    sizes = [one.subtasks for one in found] or [0]
    return Mix(
        arenas=len(found),
        subtasks=Spread(
            total=sum(sizes),
            mean=statistics.fmean(sizes),
            median=statistics.median(sizes),
            min=min(sizes),
            max=max(sizes),
            paper=PAPER_SUBTASKS,
        ),
        by={column: _shares(column, found) for column in COLUMNS},
        policies=policy_rates(one.solve_rates for one in found),
    )


def _shares(column: str, found: Sequence[Facts]) -> dict[str, Share]:
    counted = Counter(str(getattr(one, column)) for one in found)
    paper = PAPER.get(column, {})
    if column != "domain":  # all of the paper's values, those of which there is none too
        counted.update(dict.fromkeys(paper, 0))
    ordered = sorted(counted.items(), key=lambda item: (int(item[0]),) if column == "hops" else (-item[1], item[0]))
    return {
        value: Share(count=n, share=n / len(found) if found else 0.0, paper=paper.get(_slug(value)))
        for value, n in ordered
    }


def _slug(value: str) -> str:
    return value.strip().lower().replace("-", "_").replace(" ", "_")
