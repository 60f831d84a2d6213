"""What is written to the log of an env, and who waits for it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StepRow:
    """One line of an episode's log."""

    env_id: str
    episode: int
    index: int
    seed: int
    step_id: str | None
    digest: str
    record: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """An episode that begins."""

    env_id: str
    before: int
    """Number of the episode that it follows."""
    seed: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of an env with an entry of its log."""

    status: str
    expires_at: datetime


Wrote = Callable[[int], None]
"""Told how many entries a commit held."""


class StepLog(Protocol):
    """Adds to the logs of envs."""

    async def append(self, row: StepRow, move: Move | None) -> bool:
        """Add a step to the log of an open env. False if the env is not where the step begins.

        ``move`` is what becomes of the env in the same transaction; None where nothing does, which is nearly always:
        how many steps an episode has is told by its log. Raises Unavailable when the database does not take it.
        """

    async def begin(self, row: Beginning) -> bool:
        """Open an env's next episode. False if that is not the next, or the env has expired. Raises as ``append``."""

    async def close(self) -> None:
        """Let go of what it holds."""


@dataclass(slots=True, eq=False)
class Entry:
    """What waits to be written, and who waits for it."""

    row: StepRow | Beginning
    move: Move | None
    """Of a step."""
    written: asyncio.Future[bool]


def settle(entries: Sequence[Entry], outcomes: Sequence[bool]) -> None:
    """Tell those who wait; one who has gone is passed over."""
    for entry, outcome in zip(entries, outcomes, strict=True):
        if not entry.written.done():
            entry.written.set_result(outcome)


def fail(entries: Sequence[Entry], error: BaseException) -> None:
    """Tell those who wait that nobody knows."""
    for entry in entries:
        if not entry.written.done():
            entry.written.set_exception(error)
