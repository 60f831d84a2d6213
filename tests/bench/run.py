"""One run: the servers started, every subject measured round by round, then what happens once in an episode."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from scripts.with_services import postgres
from tests.bench import arenas, moments, servers
from tests.bench.arenas import Stage
from tests.bench.cells import measure
from tests.bench.client import Http
from tests.bench.load import Plan
from tests.bench.players import Call, Lacking
from tests.bench.servers import Server
from tests.bench.summary import CEILING, ECHO, OURS, Seen

console = Console(stderr=True, width=160)
CEILING_STAGE = Stage("ar_0", (Call("best_item", {"supplier": "Arrow"}),))
CACHE = servers.ROOT / "out" / "bench"
NEW_ARENAS = 20
RESETS = 60
WARM_UP = -1
"""The round that is not counted."""
GAPS_S = {"bubblewrap": 0.4, "docker": 2.0}
"""Seconds between new arenas, enough for the pool of each tier to be filled again."""


@dataclass(frozen=True)
class Subject:
    """Who is measured: the server, the protocol, the arena."""

    name: str
    server: Server
    player: str
    stage: Stage


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    rounds: int
    clients: tuple[int, ...]
    steps: int
    seconds: float
    only: tuple[str, ...]
    databases: tuple[str, ...]
    isolation: str
    live: int
    live_seconds: int
    moments: bool

    def wants(self, subject: str) -> bool:
        """Whether the subject is among those asked for."""
        return not self.only or subject in self.only


class Bench:
    """One run: its folder, its servers, what it has seen."""

    def __init__(self, options: Options, folder: Path, stack: ExitStack) -> None:
        self.options = options
        self.seen = Seen(options.clients)
        self._folder = folder
        self._stack = stack

    def subjects(self) -> list[Subject]:
        """Start a server for each, and publish the arena on ours."""
        found: list[Subject] = []
        if self.options.wants(CEILING):
            self._add(found, [CEILING], partial(servers.ceiling, self._folder))
        for database in self.options.databases:
            suffix = "" if database == "sqlite" else f"/{database}"
            if names := [name + suffix for name in OURS if self.options.wants(name)]:
                self._add(found, names, partial(self._ours, database))
        for kind in ("echo", "plain"):
            if self.options.wants(name := f"openenv_{kind}_ws"):
                self._add(found, [name], partial(servers.openenv, kind, self._folder, CACHE))
        return found

    def rounds(self, subjects: list[Subject]) -> None:
        """Every subject at every load, round by round, so that a change of the machine meets all alike."""
        for subject in subjects:  # not kept: the first requests find caches cold
            self._cell(subject, self.seen.headline(), WARM_UP, steps=min(self.options.steps, 400))
        for round_ in range(self.options.rounds):
            for clients in self.options.clients:
                for subject in subjects[round_ % len(subjects) :] + subjects[: round_ % len(subjects)]:
                    if subject.name not in self.seen.why:
                        self._cell(subject, clients, round_)

    def moments(self) -> None:
        """Resets, new arenas and live envs, each on a server started anew on arenas published before."""
        published = self._folder / "arenas.db"
        try:
            with servers.env_server(self._folder, _sqlite(published), isolation=self.options.isolation) as server:
                specs = [arenas.drawn(number) for number in range(NEW_ARENAS)]
                console.print(f"publishing {len(specs)} arenas")
                stages = uvloop.run(arenas.publish(server.port, specs))
                self.seen.isolation = uvloop.run(_isolation(server.port))
        except Lacking as lacking:
            for name in ("reset_warm", "new_arena", "live_1000"):
                self.seen.why[name] = str(lacking)
            return
        for tier, gap_s in GAPS_S.items():
            self._guard(f"new_arena/{tier}", tier, partial(self._new, stages, tier, gap_s))
        self._guard("reset_warm", self.options.isolation, partial(self._resets, stages[0]))
        if self.options.live:
            self._guard("live_1000", self.options.isolation, partial(self._live, stages))

    def _new(self, stages: list[Stage], tier: str, gap_s: float, server: Server) -> None:
        self.seen.new_arena[tier] = uvloop.run(moments.new_arenas(server.port, stages, gap_s))

    def _resets(self, stage: Stage, server: Server) -> None:
        self.seen.reset_warm = uvloop.run(moments.warm_resets(server.port, stage, RESETS))

    def _live(self, stages: list[Stage], server: Server) -> None:
        self.seen.live = uvloop.run(moments.live(server, stages, self.options.live, self.options.live_seconds))

    def _guard(self, name: str, isolation: str, what: Callable[[Server], None]) -> None:
        console.print(name)
        database = self._folder / f"{name.replace('/', '-')}.db"
        shutil.copy(self._folder / "arenas.db", database)
        try:
            with servers.env_server(self._folder, _sqlite(database), isolation=isolation) as server:
                what(server)
        except Exception as error:  # a figure that cannot be had must not take the others with it
            self.seen.why[name] = f"{type(error).__name__}: {error}"

    def _cell(self, subject: Subject, clients: int, round_: int, steps: int | None = None) -> None:
        calls = [vars(call) for call in subject.stage.calls]
        plan = Plan(
            subject.player,
            subject.server.port,
            subject.stage.arena_id,
            calls,
            clients,
            steps or self.options.steps,
            self.options.seconds,
        )
        try:
            cell = measure(subject.name, subject.server, plan, round_)
        except Lacking as lacking:
            self.seen.why[subject.name] = str(lacking)
            console.print(f"{subject.name}: {lacking}", markup=False)
            return
        if round_ == WARM_UP:
            return
        self.seen.cells.append(cell)
        console.print(
            f"round {round_ + 1}/{self.options.rounds}  {subject.name:<20} {clients:>3} clients  "
            f"{cell.cpu_ms:.3f} CPU ms  {cell.rps:,.0f}/s  p50 {cell.p50_ms:.2f}  p99 {cell.p99_ms:.2f}"
        )

    def _add(self, found: list[Subject], names: list[str], start: Callable[[], AbstractContextManager[Server]]) -> None:
        try:
            server = self._stack.enter_context(start())
            ours = names[0].split("/")[0] in OURS
            stage = self._published(server) if ours else CEILING_STAGE
        except Lacking as lacking:
            self.seen.why |= dict.fromkeys(names, str(lacking))
            console.print(f"{', '.join(names)}: {lacking}", markup=False)
            return
        for name in names:
            player = {CEILING: "rest", ECHO: "echo", "openenv_plain_ws": "plain"}.get(name, name.split("/")[0])
            found.append(Subject(name, server, player, stage))

    def _published(self, server: Server) -> Stage:
        spec = arenas.example() or arenas.drawn(0)
        self.seen.isolation = asyncio.run(_isolation(server.port))
        return asyncio.run(arenas.publish(server.port, [spec]))[0]

    def _ours(self, database: str) -> AbstractContextManager[Server]:
        if database == "sqlite":
            return servers.env_server(self._folder, _sqlite(self._folder / "env.db"), isolation=self.options.isolation)
        place = self._folder / "postgres"
        place.mkdir()
        try:
            url = self._stack.enter_context(postgres(place, durable=True))
        except SystemExit as error:
            raise Lacking(str(error)) from None
        pid = int((place / "pg" / "postmaster.pid").read_text().splitlines()[0])
        return servers.env_server(self._folder, url, isolation=self.options.isolation, database_pid=pid)


async def _isolation(port: int) -> str:
    http = await Http.open(port)
    told = await http.json("GET", "/capacity")
    await http.close()
    return str(told["isolation"])


def _sqlite(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"
