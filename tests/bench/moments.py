"""What happens once in an episode, and many episodes at once: resets, the first env of an arena, live envs."""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.bench import usage
from tests.bench.arenas import Stage
from tests.bench.client import Http, Refused
from tests.bench.players import EPISODE_STEPS, Broken, Lacking, Rest, Table, worked
from tests.bench.servers import Server
from tests.bench.stats import percentile

T = TypeVar("T")
OPENERS = 16
"""Envs that are opened at once before the live ones begin."""
GRACE_S = 5.0
"""How long after its last turn a server that fell behind may catch up; steps not begun by then are missed."""


class Watch:
    """Times of what happens, by name."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = {}

    async def time(self, name: str, what: Callable[[], Awaitable[T]]) -> T:
        """What it gives, its time noted."""
        began = time.perf_counter()
        value = await what()
        self._seen.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
        return value

    def told(self) -> dict[str, dict[str, float]]:
        """p50 and p99 in milliseconds, by name."""
        return {
            name: {"p50_ms": percentile(times, 50), "p99_ms": percentile(times, 99), "times": len(times)}
            for name, times in self._seen.items()
        }


async def _episode(http: Http, stage: Stage, watch: Watch, name: str) -> None:
    """Create, reset, one step, reset again, delete; the first three together are ``name``."""
    body = json.dumps({"action": stage.calls[0].action()}).encode()

    async def opened() -> str:
        made = await watch.time("create", lambda: http.json("POST", "/envs", {"arena_id": stage.arena_id}))
        env = f"/envs/{made['id']}"
        await watch.time("reset", lambda: http.json("POST", f"{env}/reset", {}))
        worked(await watch.time("first_step", lambda: http.send("POST", f"{env}/step", body)))
        return env

    env = await watch.time(name, opened)
    await watch.time("reset_again", lambda: http.json("POST", f"{env}/reset", {}))
    await watch.time("delete", lambda: http.send("DELETE", env))


async def warm_resets(port: int, stage: Stage, times: int) -> dict[str, dict[str, float]]:
    """Episodes one after the other in an arena whose code is loaded: ``reset`` is that of an env just created."""
    http, watch = await Http.open(port), Watch()
    for number in range(times + 3):
        if number == 3:
            watch = Watch()
        await _episode(http, stage, watch, "episode_open")
    await http.close()
    return watch.told()


async def new_arenas(port: int, stages: list[Stage], gap_s: float) -> dict[str, dict[str, float]]:
    """The first env of each arena, on a server that has run none of them: ``new_arena`` is create, reset and a step.

    Between two there is time for the pool of warm runners to be filled again.
    """
    http, watch = await Http.open(port), Watch()
    for stage in stages:
        await asyncio.sleep(gap_s)
        await _episode(http, stage, watch, "new_arena")
    await http.close()
    return watch.told()


async def live(server: Server, stages: list[Stage], envs: int, seconds: int) -> dict[str, Any]:
    """So many envs, each with a connection and a step once a second, their turns spread evenly over the second.

    A step's time runs from the moment it was due, so a server that falls behind cannot hide it.
    """
    players = [_player(server, stages[number % len(stages)]) for number in range(envs)]
    gate = asyncio.Semaphore(OPENERS)

    async def begin(player: Rest) -> None:
        async with gate:
            await player.begin(EPISODE_STEPS)

    try:
        began = time.perf_counter()
        await asyncio.gather(*(begin(player) for player in players))
        opened_s = time.perf_counter() - began
        await asyncio.gather(*(player.play() for player in players[:OPENERS]))
        gc.collect()
        gc.freeze()
        before = usage.cpu_seconds(server.pid)
        start = time.perf_counter() + 1.0
        turns = [Turns(player, start + number / envs, seconds) for number, player in enumerate(players)]
        await asyncio.gather(*(each.take(start + seconds + GRACE_S) for each in turns))
        cpu = usage.cpu_seconds(server.pid) - before
        memory = usage.memory(server.pid)
    except (Refused, OSError, asyncio.IncompleteReadError) as error:
        raise Lacking(f"{envs} envs at once: {error}") from None
    finally:
        await asyncio.gather(*(player.end() for player in players), return_exceptions=True)
    times = [each for one in turns for each in one.took]
    failures = [text for one in turns for text in one.failed]
    steps = len(times) - sum(one.missed for one in turns)
    if not steps:
        raise Lacking(f"{envs} envs at once: no step worked: {failures[:1]}")
    return {
        "p50_ms": percentile(times, 50) * 1e3,
        "p99_ms": percentile(times, 99) * 1e3,
        "rss_gib": memory.pss_bytes / 2**30,
        "envs": envs,
        "steps": steps,
        "missed": len(times) - steps,
        "failed": len(failures),
        "failure": failures[0] if failures else None,
        "cpu_ms": cpu * 1e3 / steps,
        "open_s": opened_s,
        "processes": memory.processes,
        "processes_by_rss": memory.guessed,
        "arenas": len(stages),
    }


def _player(server: Server, stage: Stage) -> Rest:
    return Rest(Table(server.port, stage.arena_id, stage.calls), 1)


class Turns:
    """The steps of one live env: one a second, whatever the last one took."""

    def __init__(self, player: Rest, start: float, times: int) -> None:
        self._player = player
        self._due = [start + number for number in range(min(times, EPISODE_STEPS - 1))]
        self.took: list[float] = []
        """Seconds from when a step was due to its reply; for a missed one, to when it was given up."""
        self.failed: list[str] = []
        self.missed = 0

    async def take(self, until: float) -> None:
        """Take each when it is due, or as soon after as the one before lets it; begin none after ``until``."""
        for due in self._due:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            try:
                if time.perf_counter() < until:
                    await self._player.play()
                else:
                    self.missed += 1
                self.took.append(time.perf_counter() - due)
            except (Refused, Broken) as error:
                self.failed.append(str(error))
