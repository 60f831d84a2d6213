"""The load of one cell, a process of its own: reads a plan, opens its episodes, warms up, waits for the word, plays.

It speaks with the harness in lines of JSON: ``ready`` when all is warm, ``ran`` with the times, or ``failed`` with why.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import uvloop

from tests.bench.client import Refused
from tests.bench.players import PLAYERS, Broken, Call, Lacking, Player, Table
from tests.bench.stats import percentile


@dataclass(frozen=True)
class Plan:
    """One cell: who plays how much, against what."""

    player: str
    port: int
    arena_id: str
    calls: list[dict[str, Any]]
    clients: int
    steps: int
    """Env steps in all, at most."""
    seconds: float
    """And no longer than this."""
    warm_up: int = 3
    """Operations of each client before the clock starts."""

    def players(self) -> list[Player]:
        """The clients."""
        table = Table(self.port, self.arena_id, tuple(Call(**call) for call in self.calls))
        make = PLAYERS[self.player]
        return (
            [make(table, self.clients)]
            if self.player == "batch"
            else [make(table, self.clients) for _ in range(self.clients)]
        )

    def operations(self) -> int:
        """Operations of one client."""
        return max(1, self.steps // self.clients)


async def run(plan: Plan) -> None:
    """The whole cell, told line by line."""
    players = plan.players()
    try:
        try:
            await asyncio.gather(*(player.begin(plan.operations() + plan.warm_up) for player in players))
            await asyncio.gather(*(_loop(player, plan.warm_up, None) for player in players))
            _tell("ready")
            await asyncio.to_thread(sys.stdin.readline)
            _tell("ran", **await _measured(plan, players))
            await asyncio.to_thread(sys.stdin.readline)
        finally:
            await asyncio.gather(*(player.end() for player in players), return_exceptions=True)
    except (Refused, Broken, Lacking, OSError, asyncio.IncompleteReadError) as error:
        _tell("failed", why=str(error) or type(error).__name__)


async def _measured(plan: Plan, players: list[Player]) -> dict[str, float]:
    began = time.perf_counter()
    loops = await asyncio.gather(*(_loop(player, plan.operations(), began + plan.seconds) for player in players))
    took = time.perf_counter() - began
    times = [each for loop, _ in loops for each in loop]
    steps = len(times) * players[0].width
    return {
        "steps": steps,
        "rps": steps / took,
        "p50_ms": percentile(times, 50) * 1e3,
        "p99_ms": percentile(times, 99) * 1e3,
        "reply_bytes": sum(size for _, size in loops) / steps,
    }


async def _loop(player: Player, operations: int, until: float | None) -> tuple[list[float], int]:
    """Seconds that each operation took, and the bytes of all replies."""
    times, size = [], 0
    for _ in range(operations):
        began = time.perf_counter()
        if until is not None and began > until:
            break
        size += await player.play()
        times.append(time.perf_counter() - began)
    return times, size


def _tell(event: str, **values: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(run(Plan(**json.loads(sys.stdin.readline()))))
