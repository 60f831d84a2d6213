"""Distractors of an env: tools that solve nothing, offered beside those that do, by their likeness (paper §4.3)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from astra_proto.base import Record, Reply, Request
from astra_proto.ids import ServerId, ToolName
from astra_proto.messages import FunctionSpec

Count = Annotated[int, Field(ge=0, le=16)]


class Band(StrEnum):
    """How alike a tool is to one of the arena's, of all that the registry has: 1 the most alike, 0 the least."""

    HIGH = "high"
    """Above 0.85."""
    MEDIUM = "medium"
    """From 0.4 to 0.85."""
    LOW = "low"
    """Below 0.4."""


class BandCounts(Request):
    """How many of each band. A band that has fewer gives what it has."""

    high: Count = 0
    medium: Count = 0
    low: Count = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.high + self.medium + self.low


class DrawDistractors(Request):
    """Draw tools that are beside the point of these: seeded, of other domains, none of which does the same job."""

    tools: Annotated[list[FunctionSpec], Field(min_length=1, max_length=128)]
    """What the arena offers. None of these names is drawn."""
    domain: Annotated[str, Field(min_length=1, max_length=100)]
    """Tools of servers of this domain are left out."""
    counts: BandCounts
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    taken: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=1_000)] = []
    """More names that are not to be drawn."""


class Distractor(Record):
    """A drawn tool."""

    server_id: ServerId
    name: ToolName
    band: Band
    similarity: float
    """To the tool of the arena that it is most like, from 0 to 1 over all tools of the registry."""
    function: FunctionSpec


class DrawnDistractors(Reply):
    """What was drawn, by band and then by name; names are unique, whatever their case."""

    distractors: list[Distractor]
    pool: dict[Band, int]
    """How many tools there were to draw from, in each band."""
