"""Kills things by a seeded plan, and starts them again."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import redis.asyncio as redis

from tests.chaos.machines import Machine, World, levels

KINDS = ("runner", "zygote", "session", "replica", "redis", "flush", "postgres")
_BAG = ("runner", "runner", "zygote", "session", "session", "replica", "replica", "redis", "flush", "postgres")
"""Drawn without putting back, so that each kind has its turn."""


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong."""

    kind: str
    after_s: float
    """Since the one before."""
    down_s: float
    """Until what was killed is started again."""
    which: int
    """Of several, modulo how many there are."""


def plan(seed: int, mean_gap_s: float) -> Iterator[Blow]:
    """What goes wrong, and when: the same for the same seed, without end."""
    draw = random.Random(seed)
    while True:
        bag = list(_BAG)
        draw.shuffle(bag)
        for kind in bag:
            yield Blow(kind, draw.expovariate(1 / mean_gap_s), draw.uniform(0.05, 1.5), draw.randrange(2**31))


class Disturber:
    """Goes through a plan until it is cancelled; then everything is up again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.kills: Counter[str] = Counter()

    async def run(self, blows: Iterator[Blow]) -> None:
        """Deal out the blows; two machines may be down at the same time."""
        down: set[str] = set()
        async with asyncio.TaskGroup() as under_way:
            for blow in blows:
                await asyncio.sleep(blow.after_s)
                while len(down) > 1:  # noqa: ASYNC110 with three down at once nothing would be left to be disturbed
                    await asyncio.sleep(0.1)
                under_way.create_task(self._deal(blow, down))

    async def settle(self) -> None:
        """Start what is down, and wait until all answer."""
        for machine in self._world.machines:
            if not machine.pid:
                machine.start()
        await asyncio.gather(*(machine.up() for machine in self._world.machines))

    async def _deal(self, blow: Blow, down: set[str]) -> None:
        replica = self._world.replicas[blow.which % len(self._world.replicas)]
        if blow.kind == "flush":
            self.kills["flush"] += await self._flush()
        elif blow.kind in ("runner", "zygote", "session"):
            self.kills[blow.kind] += self._kill_inside(replica, blow)
        else:
            machine = {"replica": replica, "redis": self._world.redis, "postgres": self._world.postgres}[blow.kind]
            if machine.name in down:
                return
            down.add(machine.name)
            try:
                await self._restart(machine, blow)
            finally:
                down.discard(machine.name)

    async def _restart(self, machine: Machine, blow: Blow) -> None:
        if not machine.pid:
            return
        machine.kill(below=machine is self._world.postgres)
        self.kills[blow.kind] += 1
        await asyncio.sleep(blow.down_s)
        machine.start()
        await machine.up()

    async def _flush(self) -> bool:
        with contextlib.suppress(redis.RedisError, OSError):
            async with redis.Redis.from_url(self._world.redis_url) as store:
                await store.flushall()
                return True
        return False

    def _kill_inside(self, replica: Machine, blow: Blow) -> bool:
        """Kill one process of the sandbox: the first of a runner, the one that forks, or one of its sessions."""
        below = levels(replica.pid) if replica.pid else []
        depth = {"runner": 0, "zygote": self._world.idle_depth - 1, "session": self._world.idle_depth}[blow.kind]
        if depth >= len(below):
            return False
        candidates = below[depth]
        doomed = candidates[blow.which % len(candidates)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(doomed.pid, signal.SIGKILL)
            return True
        return False
