"""Kills everything while episodes are played, and compares with an undisturbed run: ``python -m tests.chaos.run``."""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos import leftovers
from tests.chaos.arenas import Json, arena, script
from tests.chaos.disturber import KINDS, Disturber, plan
from tests.chaos.machines import World, adopt_orphans
from tests.chaos.players import Game, Player, Tally
from tests.chaos.verdict import Verdict, judge

console = Console(stderr=True, width=140)
ARENAS = 6
_LOGS = Path("out/chaos")


class Chaos:
    """One run on one world."""

    def __init__(self, world: World, seed: int, episodes: int, clients: int) -> None:
        self.world, self.seed, self.clients = world, seed, clients
        self._draw = random.Random(seed)
        self._specs = [arena(seed * 1_000 + number) for number in range(ARENAS)]
        self.scripts = [script(number, self._specs, self._draw) for number in range(episodes)]
        self._arena_ids: list[str] = []
        self.disturber = Disturber(world)

    async def publish(self) -> None:
        """The arenas, on the first replica."""
        async with httpx2.AsyncClient(trust_env=False, timeout=120) as http:
            for spec in self._specs:
                reply = await http.post(self.world.replicas[0].url + "/arenas", json=spec)
                if reply.status_code not in (200, 201):
                    raise SystemExit(f"the gate refuses an arena: {reply.text[:2_000]}")
                self._arena_ids.append(reply.json()["id"])

    async def calm(self, progress: Progress) -> list[Game]:
        """Every script, played without any disturbance on one replica."""
        return await self._played(self.world.replicas[:1], Tally(), progress, "undisturbed", vanishes=0.0, think_s=0.0)

    async def storm(self, progress: Progress, tally: Tally, gap_s: float, think_s: float) -> list[Game]:
        """Every script once more, under fire; all episodes are open before the first is played on."""
        blows = asyncio.create_task(self.disturber.run(plan(self.seed, gap_s)))
        try:
            return await self._played(self.world.replicas, tally, progress, "under fire", vanishes=0.1, think_s=think_s)
        finally:
            blows.cancel()
            await asyncio.gather(blows, return_exceptions=True)
            await self.disturber.settle()

    async def logs(self, games: Sequence[Game]) -> dict[str, list[Json]]:
        """The steps of each env as its trajectory has them, asked of either replica; then the env is deleted."""
        asking = Player(self._urls(), Tally(), self._draw, vanishes=0.0, think_s=0.0)
        found = {}
        for game in games:
            if game.env_id:
                found[game.env_id] = (await asking.ask("GET", f"/envs/{game.env_id}/trajectory"))["steps"]
        await asking.close()
        return found

    async def delete_all(self) -> None:
        """Every env of the database: also those whose makers never heard of them."""
        connection = await asyncpg.connect(self.world.database_url.replace("+asyncpg", ""))
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM env_server_envs")]
        await connection.close()
        asking = Player(self._urls(), Tally(), self._draw, vanishes=0.0, think_s=0.0)
        for env_id in ids:
            await asking.ask("DELETE", f"/envs/{env_id}")
        await asking.close()

    async def _played(
        self, replicas: Sequence[Any], tally: Tally, progress: Progress, what: str, *, vanishes: float, think_s: float
    ) -> list[Game]:
        games = [Game(one) for one in self.scripts]
        bar = progress.add_task(what, total=sum(len(one.actions) for one in self.scripts), told="")
        urls = [replica.url for replica in replicas]
        players = [
            Player(urls, tally, random.Random(f"{self.seed} {number}"), vanishes=vanishes, think_s=think_s)
            for number in range(self.clients)
        ]

        def seen() -> None:
            kills = " ".join(f"{kind} {count}" for kind, count in self.disturber.kills.items())
            progress.update(bar, advance=1, told=kills if vanishes else "")

        async def begin(player: Player, mine: Sequence[Game]) -> None:
            for game in mine:
                await player.begin(game, self._arena_ids[game.script.arena])

        shares = [games[number :: self.clients] for number in range(self.clients)]
        await _all(begin(player, mine) for player, mine in zip(players, shares, strict=True))
        await _all(player.play(mine, seen) for player, mine in zip(players, shares, strict=True))
        await _all(player.close() for player in players)
        return games

    def _urls(self) -> list[str]:
        return [replica.url for replica in self.world.replicas]


async def _all(jobs: Any) -> None:
    await asyncio.gather(*jobs)


async def _run(world: World, seed: int, episodes: int, clients: int, gap_s: float, think_s: float) -> Json:
    began = time.monotonic()
    bars = (TextColumn("{task.description:>12}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bars, TextColumn("{task.fields[told]}"), console=console) as progress:
        await world.up()
        chaos = Chaos(world, seed, episodes, clients)
        await chaos.publish()
        calm = await chaos.calm(progress)
        if unfinished := [game.why for game in calm if game.why or not game.over]:
            raise SystemExit(f"the undisturbed run failed: {unfinished[:3]}")
        tally, fire = Tally(), time.monotonic()
        games = await chaos.storm(progress, tally, gap_s, think_s)
        fire_s = time.monotonic() - fire
        verdict = judge(games, calm, await chaos.logs(games))
        await chaos.delete_all()
        kept = await leftovers.sessions(world)
    return _report(chaos, verdict, tally, kept) | {
        "seed": seed,
        "clients": clients,
        "fire_s": round(fire_s, 1),
        "wall_s": round(time.monotonic() - began, 1),
    }


def _report(chaos: Chaos, verdict: Verdict, tally: Tally, kept: list[str]) -> Json:
    return {
        "episodes": verdict.episodes,
        "wrong_reward": verdict.wrong_reward,
        "double_steps": verdict.double_steps,
        "orphans": kept,
        "steps": tally.steps,
        "kills": {kind: chaos.disturber.kills[kind] for kind in KINDS},
        "retries": tally.retries,
        "vanished": tally.vanished,
        "answers": dict(sorted(tally.answers.items())),
        "unexpected": tally.unexpected[:20],
        "differences": verdict.differences,
        "replica_exits": sum(replica.fell for replica in chaos.world.replicas),
    }


def main(
    seed: Annotated[int, typer.Option(help="Of the scripts and of the plan of what is killed when.")] = 1,
    episodes: Annotated[int, typer.Option(min=1, help="Open at the same time.")] = 300,
    clients: Annotated[int, typer.Option(min=1)] = 32,
    gap: Annotated[float, typer.Option(min=0.05, help="Seconds between two blows, on average.")] = 2.0,
    think: Annotated[float, typer.Option(min=0.0, help="Seconds that a client waits before a step, on average.")] = 0.5,
    isolation: Annotated[str, typer.Option(help="The tier of the sandbox.")] = "auto",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("out/chaos.json"),
) -> None:
    """Play episodes against two env servers on one Postgres and one Redis while all of these are killed at random.

    Runners, the processes in them, both servers, Redis and Postgres (with fsync, on the same files) get SIGKILL and are
    started again; Redis is emptied; clients hang up in the middle of a step and send it again to either server. The
    tools count their calls, so one that was made twice or lost shows in what the agent sees. Each episode must give,
    step by step, what it gives undisturbed, and nothing may be left behind. Exit status 1 when that is not so.
    """
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    before = leftovers.running_containers()
    # Not under /tmp, which may be memory: what is killed must have been written to a disk.
    with tempfile.TemporaryDirectory(prefix="astra-chaos-", dir="/var/tmp") as name:
        world = World(Path(name), random.Random(seed ^ os.getpid()), isolation=isolation)
        try:
            told = asyncio.run(_run(world, seed, episodes, clients, gap, think))
        finally:
            world.stop()
            shutil.rmtree(_LOGS, ignore_errors=True)
            _LOGS.mkdir(parents=True)
            for log in [*Path(name).glob("*.log"), Path(name) / "postgres" / "log"]:
                shutil.copy(log, _LOGS / (log.name if log.suffix else "postgres.log"))
        left = [*told["orphans"], *leftovers.processes(os.getpid()), *leftovers.sockets(world)]
        left += [*leftovers.folders(world), *leftovers.containers(before)]
    missing = [kind for kind, count in told["kills"].items() if not count]
    told |= {"orphans": len(left), "left": left[:50], "never_killed": missing}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(told, indent=1) + "\n")
    console.print_json(json.dumps({key: value for key, value in told.items() if value not in ([], {})}))
    wrong = [key for key in ("wrong_reward", "double_steps", "orphans", "unexpected", "never_killed") if told[key]]
    console.print(
        f"written: {out}; logs: {_LOGS}" + (f"; WRONG: {', '.join(wrong)}" if wrong else "; all as it should be")
    )
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
