"""From cells to the report: medians over rounds, ratios to the ceiling and to OpenEnv, targets reached or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.cells import Cell
from tests.bench.stats import median, paired_ratio

FIGURES = ("cpu_ms", "rps", "p50_ms", "p99_ms")
CEILING, ECHO = "ceiling", "openenv_echo_ws"
SUBJECTS = (CEILING, "rest", "ws", "batch", ECHO, "openenv_plain_ws")
OURS = ("rest", "ws", "batch")


@dataclass
class Seen:
    """All that a run has seen so far."""

    clients: tuple[int, ...]
    cells: list[Cell] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    """Reasons of what could not be measured, by the name of the figure."""
    reset_warm: dict[str, Any] | None = None
    new_arena: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    isolation: str | None = None

    def headline(self) -> int:
        """The number of clients whose figures stand for the subject: 16, or the one nearest to it."""
        return min(self.clients, key=lambda n: abs(n - 16))


def of(cells: Sequence[Cell], subject: str, clients: int) -> list[Cell]:
    """The cells of one subject under one load, in the order of the rounds."""
    return sorted((c for c in cells if (c.subject, c.clients) == (subject, clients)), key=lambda c: c.round)


def figures(cells: Sequence[Cell], subject: str, clients: int) -> dict[str, Any]:
    """Medians over the rounds, and the ratios of CPU time; nulls where there is no cell."""
    own = of(cells, subject, clients)
    if not own:
        return dict.fromkeys(FIGURES)
    told: dict[str, Any] = {name: median([getattr(cell, name) for cell in own]) for name in FIGURES}
    told["cpu_ms_by_round"] = [cell.cpu_ms for cell in own]
    told["below_cpu_ms"] = median([cell.below_cpu_ms for cell in own])
    told["reply_bytes"] = median([cell.reply_bytes for cell in own])
    stored = [cell.database_cpu_ms for cell in own if cell.database_cpu_ms is not None]
    if stored:
        told["database_cpu_ms"] = median(stored)
    for name, against in (("x_ceiling", CEILING), ("x_openenv_echo", ECHO)):
        told[name] = ratio(own, of(cells, against, clients))
    return told


def ratio(own: Sequence[Cell], against: Sequence[Cell]) -> float | None:
    """How many times the CPU time of the other, from the rounds that both have."""
    other = {cell.round: cell.cpu_ms for cell in against}
    pairs = [(cell.cpu_ms, other[cell.round]) for cell in own if cell.round in other]
    return paired_ratio([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None


def report(seen: Seen, machine: Mapping[str, Any]) -> dict[str, Any]:
    """The document that is written: its first keys are the agreed ones, the others say more."""
    told: dict[str, Any] = {subject: _subject(seen, subject, "") for subject in SUBJECTS}
    for subject in OURS:
        told[subject]["postgres"] = _subject(seen, subject, "/postgres")
    told |= {
        "reset_warm_p50_ms": seen.reset_warm["reset"]["p50_ms"] if seen.reset_warm else None,
        "new_arena_p50_ms": {
            tier: (seen.new_arena[tier]["new_arena"]["p50_ms"] if tier in seen.new_arena else None)
            for tier in ("bubblewrap", "docker")
        },
        "live_1000": seen.live or {"p99_ms": None, "rss_gib": None},
        "isolation": seen.isolation,
        "targets": targets(seen),
        "why_null": seen.why,
        "detail": {"reset_warm": seen.reset_warm, "new_arena": seen.new_arena},
        "machine": dict(machine),
        "cells": [vars(cell) for cell in seen.cells],
    }
    return told


def _subject(seen: Seen, subject: str, store: str) -> dict[str, Any]:
    name = subject + store
    told = figures(seen.cells, name, seen.headline())
    if name in seen.why:
        told["why"] = seen.why[name]
    at = {str(n): figures(seen.cells, name, n) for n in seen.clients if of(seen.cells, name, n)}
    return {**told, "clients": seen.headline(), "at": at}


def targets(seen: Seen) -> list[dict[str, Any]]:
    """What is to be reached, what was seen, and whether it is enough; ``reached`` is null where nothing was seen."""
    at = seen.headline()
    found: list[dict[str, Any]] = []

    def add(what: str, value: float | None, at_most: float, *, sound: bool = True) -> None:
        reached = None if value is None else bool(value <= at_most and sound)
        found.append({"what": what, "value": value, "at_most": at_most, "reached": reached})

    for store, label in (("", "SQLite"), ("/postgres", "Postgres")):
        rest = figures(seen.cells, "rest" + store, at)
        isolated = seen.isolation not in (None, "none")
        add(f"REST step on {label}: CPU, times the ceiling's", rest.get("x_ceiling"), 3.0, sound=isolated)
        add(f"REST step on {label}: CPU, times OpenEnv's tool call", rest.get("x_openenv_echo"), 0.35, sound=isolated)
        for subject in ("ws", "batch"):
            value = figures(seen.cells, subject + store, at).get("x_ceiling")
            add(f"{subject} step on {label}: CPU, times the ceiling's", value, 1.5, sound=isolated)
    add("reset in a warm arena, p50 ms", seen.reset_warm["reset"]["p50_ms"] if seen.reset_warm else None, 6.0)
    for tier in ("bubblewrap", "docker"):
        value = seen.new_arena[tier]["new_arena"]["p50_ms"] if tier in seen.new_arena else None
        add(f"new arena from the warm pool on {tier}, p50 ms", value, 40.0)
    lively = seen.live or {}
    name = f"{lively.get('envs', 1000):,} live envs, a step a second"
    sound = not lively.get("failed") and not lively.get("missed") and lively.get("envs", 0) >= 1_000
    add(f"{name}: p99 ms", lively.get("p99_ms"), 60.0, sound=sound)
    add(f"{name}: memory GiB", lively.get("rss_gib"), 2.5, sound=sound)
    return found
