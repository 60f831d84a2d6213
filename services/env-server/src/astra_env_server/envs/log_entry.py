"""What is written to the log of steps, and who waits for it."""

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


Wrote = Callable[[int], None]
"""Told how many steps a commit held."""


class StepLog(Protocol):
    """Adds steps to the logs of open envs."""

    async def append(self, row: StepRow, status: str, expires_at: datetime) -> bool:
        """Add a step and move its env on, in one transaction. False if the env is not where the step begins.

        Raises Unavailable when the database does not take it.
        """

    async def close(self) -> None:
        """Let go of what it holds."""


@dataclass(slots=True, eq=False)
class Entry:
    """A step that waits to be written, and who waits for it."""

    row: StepRow
    status: str
    expires_at: datetime
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
