"""How the demo tells what it does: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress

from astra import console
from astra.progress import bars

QUIET_S = 15.0
"""Seconds between lines about one bar where there is no terminal."""


class Bar:
    """The progress of one piece of work."""

    def __init__(self, progress: Progress, label: str, total: int | None) -> None:
        self._progress, self._label = progress, label
        self._id = progress.add_task(label, total=total, note="")
        self._began = self._told = time.monotonic()

    def update(self, done: float, total: float | None, note: str = "") -> None:
        """Say how far it is."""
        self._progress.update(self._id, completed=done, total=total, note=console.plain(note, 60))
        now = time.monotonic()
        if not console.err.is_terminal and now - self._told > QUIET_S:
            self._told = now
            console.say(f"  … {self._label}: {done:.0f}/{total or '?'} {note}")

    def end(self, note: str) -> None:
        """Say that it is done and what came of it."""
        total = self._progress.tasks[self._id].total
        self._progress.update(self._id, total=total or 1, completed=total or 1, note=console.plain(note, 80))
        if not console.err.is_terminal:
            console.say(f"  ✓ {self._label}: {note} ({time.monotonic() - self._began:.0f} s)")


class Story:
    """Numbers the steps, and times them."""

    def __init__(self, steps: int) -> None:
        self._steps, self._now = steps, 0
        self.timings: dict[str, float] = {}
        """Step to the seconds that it took."""

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[Progress]:
        """One step: a heading, and bars below it."""
        self._now += 1
        console.say(f"\n{self._now}/{self._steps}  {text}", "bold")
        began = time.monotonic()
        with bars() as progress:
            yield progress
        self.timings[name] = round(time.monotonic() - began, 1)
