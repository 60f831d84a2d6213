"""Plays at half of what two servers can do and looks whether they grow: ``python -m tests.chaos.soak``."""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from rich.progress import Progress

from tests.chaos.arenas import Json, arena, script
from tests.chaos.machines import World, adopt_orphans
from tests.chaos.picture import draw_samples
from tests.chaos.players import Game, Player, Tally
from tests.chaos.samples import Judged, Latencies, Sample, judge, sample

console = Console(stderr=True, width=140)
ARENAS = 6
CLIENTS = 16
_CALIBRATION_S = 10.0
_WARM_UP_S = 20.0
"""Before the first sample: pools fill, caches warm."""


class Soak:
    """Many episodes that never stop: as one ends, its env is deleted and another begins."""

    def __init__(self, world: World, live: int) -> None:
        self._world, self.live = world, live
        self._specs = [arena(number) for number in range(ARENAS)]
        self._arena_ids: list[str] = []
        self.tally, self.latencies = Tally(), Latencies()
        self.interval_s = 0.0
        """Between two steps of an episode."""
        self.episodes = 0
        urls = [replica.url for replica in world.replicas]
        self._players = [
            Player(urls, self.tally, random.Random(number), vanishes=0.0, think_s=0.0) for number in range(CLIENTS)
        ]

    async def publish(self) -> None:
        """The arenas."""
        async with httpx2.AsyncClient(trust_env=False, timeout=120) as http:
            for spec in self._specs:
                reply = await http.post(self._world.replicas[0].url + "/arenas", json=spec)
                reply.raise_for_status()
                self._arena_ids.append(reply.json()["id"])

    async def play_forever(self, place: int) -> None:
        """One env at a time in this place."""
        draw, player = random.Random(f"place {place}"), self._players[place % CLIENTS]
        while True:
            game = Game(script(self.episodes, self._specs, draw))
            self.episodes += 1
            await player.begin(game, self._arena_ids[game.script.arena])
            if game.why:
                raise RuntimeError(game.why)
            for index, action in enumerate(game.script.actions):
                await asyncio.sleep(self.interval_s * draw.uniform(0.5, 1.5))
                began = time.perf_counter()
                body = {"action": action, "step_id": f"step-{index}"}
                await player.ask("POST", f"/envs/{game.env_id}/step", body)
                self.latencies.add((time.perf_counter() - began) * 1_000)
            await player.ask("DELETE", f"/envs/{game.env_id}")

    async def close(self) -> None:
        """Hang up."""
        for player in self._players:
            await player.close()


async def _run(world: World, minutes: float, live: int) -> tuple[Json, list[Sample]]:
    await world.up()
    soak = Soak(world, live)
    await soak.publish()
    places = [asyncio.create_task(soak.play_forever(place)) for place in range(live)]
    try:
        await asyncio.sleep(_CALIBRATION_S / 2)  # the envs come to life
        before = soak.latencies.steps
        await asyncio.sleep(_CALIBRATION_S)
        capacity = (soak.latencies.steps - before) / _CALIBRATION_S
        soak.interval_s = live / (capacity / 2)
        console.print(f"as fast as it goes: {capacity:.0f} steps a second; from now on half of that, in {live} envs")
        await asyncio.sleep(_WARM_UP_S)
        samples = await _sampled(soak, world, places, minutes * 60)
    finally:
        for place in places:
            place.cancel()
        await asyncio.gather(*places, return_exceptions=True)
        await soak.close()
    told = {
        "minutes": minutes,
        "live_envs": live,
        "capacity_steps_per_s": round(capacity, 1),
        "steps_per_s": round((samples[-1].steps - samples[0].steps) / (samples[-1].at_s - samples[0].at_s), 1),
        "episodes": soak.episodes,
        "answers": dict(soak.tally.answers),
    }
    return told, samples


async def _sampled(soak: Soak, world: World, places: Sequence[asyncio.Task[None]], seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    period_s, began = max(2.0, seconds / 200), time.monotonic()
    soak.latencies.take()
    with Progress(console=console) as progress:
        bar = progress.add_task("soaking", total=seconds)
        while (now := time.monotonic() - began) < seconds:
            await asyncio.sleep(min(period_s, seconds - now))
            if broken := [place for place in places if place.done()]:
                broken[0].result()
            at_s = time.monotonic() - began
            samples.append(await asyncio.to_thread(sample, world.replicas, at_s, soak.live, soak.latencies))
            progress.update(bar, completed=at_s)
    return samples


def _write(out: Path, told: Json, samples: Sequence[Sample], verdict: dict[str, Judged]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    judged = {name: asdict(one) for name, one in verdict.items()}
    flat = all(one.flat for one in verdict.values())
    whole = {"flat": flat, **told, "verdict": judged, "samples": [asdict(one) for one in samples]}
    out.write_text(json.dumps(whole, indent=1) + "\n")
    draw_samples(samples, verdict, out.with_suffix(".png"))
    for name, one in verdict.items():
        mark = "flat " if one.flat else "GROWS"
        console.print(f"{mark}  {name:<12} {one.first:>9.2f} → {one.last:>9.2f}   (at most {one.most:.2f})")
    console.print(f"written: {out} and {out.with_suffix('.png')}")


def main(
    minutes: Annotated[float, typer.Option(min=0.2)] = 60.0,
    live: Annotated[int, typer.Option(min=1, help="Envs open at once; the two servers hold twice as many.")] = 256,
    isolation: Annotated[str, typer.Option(help="The tier of the sandbox.")] = "auto",
    out: Annotated[Path, typer.Option(help="Where the report goes; the picture beside it.")] = Path("out/soak.json"),
) -> None:
    """Keep two env servers on one Postgres at half capacity: half of the envs that they hold, half of their speed.

    Memory, descriptors, threads, processes and the latency of steps are sampled; the last third must not be above the
    first by more than a bound. Exit status 1 when it is.
    """
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with tempfile.TemporaryDirectory(prefix="astra-soak-", dir="/var/tmp") as name:
        world = World(Path(name), random.Random(os.getpid()), isolation=isolation, max_envs=live)
        try:
            told, samples = asyncio.run(_run(world, minutes, live))
        finally:
            world.stop()
    verdict = judge(samples)
    _write(out, told, samples, verdict)
    raise typer.Exit(0 if all(one.flat for one in verdict.values()) else 1)


if __name__ == "__main__":
    typer.run(main)
