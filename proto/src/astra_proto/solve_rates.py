"""How hard an arena was found to be: what policies reached in it. Measured, so no part of the arena or of its id."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from astra_proto.base import Record, Reply, Request
from astra_proto.ids import ArenaId

PolicyName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\w][\w./:@+ -]*$")]
"""What a policy is called in the catalogue, such as ``base:scratch``, ``rl:my-run`` or ``Qwen/Qwen3-8B``."""

Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Measured(Record):
    """What one policy reached in one arena."""

    episodes: Annotated[int, Field(ge=1, le=1_000_000)]
    """Episodes that were played; those that an env failed are not among them."""
    solve_rate: Rate
    """Share of the episodes in which every sub-task was solved, however many calls it took."""
    f1: Rate
    """Mean F1 of the episodes: what the policy earned."""


class SolveRate(Measured):
    """The same as the catalogue tells it."""

    source: str
    """Where it was measured: the id of an evaluation, or what whoever told it says."""
    measured_at: datetime
    """When it was told."""


SolveRates = dict[PolicyName, SolveRate]
"""By policy, in the order of their names."""


class RecordSolveRates(Request):
    """Tell what a policy reached. What was told of the policy in an arena before is replaced."""

    policy: PolicyName
    source: Annotated[str, Field(max_length=200)] = ""
    arenas: Annotated[dict[ArenaId, Measured], Field(min_length=1, max_length=10_000)]


class RecordedSolveRates(Reply):
    """What was taken down."""

    recorded: int
    """Arenas."""
    unknown: list[ArenaId]
    """Arenas that are not published here: nothing is kept of them."""
