"""Two env servers, a Postgres and a Redis, each a process that can be killed and started again where it was."""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2
import psutil

from scripts.with_services import die_with_parent, postgres_command, redis_command

ROOT = Path(__file__).parent.parent.parent
START_S = 90.0
_BELOW_THE_EPHEMERAL = range(20_000, 30_000)
"""A port that is free while its server is down must not be given to a connection as its own end."""
_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on a process whose parent dies becomes a child of this one, so that none gets away unseen."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)


def quiet_port(draw: random.Random) -> int:
    """A port that nobody listens on, and that no connection will take meanwhile."""
    while True:
        port = draw.choice(_BELOW_THE_EPHEMERAL)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def family(pid: int) -> list[psutil.Process]:
    """Every living process below this one."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def levels(pid: int) -> list[list[psutil.Process]]:
    """The living processes below one, by how far below."""
    found: list[list[psutil.Process]] = []
    parents = [pid]
    while parents:
        level = []
        for parent in parents:
            with contextlib.suppress(psutil.NoSuchProcess):
                level += [p for p in psutil.Process(parent).children() if p.status() != psutil.STATUS_ZOMBIE]
        if level:
            found.append(sorted(level, key=lambda process: process.pid))
        parents = [process.pid for process in level]
    return found


class Machine:
    """One server process."""

    def __init__(
        self, name: str, argv: Sequence[str], port: int, log: Path, *, user: str | None = None,
        env: Mapping[str, str] | None = None, ready: str | None = None,
    ) -> None:  # fmt: skip
        self.name, self.port = name, port
        self._argv, self._log, self._user, self._env, self._ready = argv, log, user, env, ready
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.fell = 0
        """Times that it ended without having been killed."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of its first process; 0 when it is down."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it; ``up`` waits until it answers."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._argv, stdout=out, stderr=out, cwd="/", preexec_fn=die_with_parent, user=self._user,
                env={**os.environ, **self._env} if self._env else None,
            )  # fmt: skip

    async def up(self) -> None:
        """Wait until it answers; one that gives up, because something that it needs is down, is started again."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if not self.pid:
                self.fell += 1
                await asyncio.sleep(0.2)
                self.start()
            if await self._answers():
                return
            await asyncio.sleep(0.05)
        raise SystemExit(f"{self.name} does not start:\n{self._log.read_text(errors='replace')[-3000:]}")

    async def _answers(self) -> bool:
        try:
            if self._ready:
                async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
                    return (await http.get(self.url + self._ready)).status_code == 200
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
        except (OSError, httpx2.TransportError):
            return False
        return True

    def kill(self, *, below: bool = False) -> None:
        """SIGKILL; ``below``: it and all of its processes, as a machine that loses its power would."""
        doomed = [p.pid for p in family(self.pid)] if below and self.pid else []
        if self._process is not None and self.pid:
            self._process.kill()
            self.kills += 1
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End it kindly."""
        if self._process is None:
            return
        self._process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()


class World:
    """All machines of one run, in a folder of their own."""

    def __init__(self, folder: Path, draw: random.Random, *, isolation: str, max_envs: int = 1_024) -> None:
        folder.chmod(0o755)  # Postgres runs as another user
        self.folder, self.scratch = folder, folder / "tmp"
        place = folder / "postgres"
        for made in (self.scratch, place):
            made.mkdir()
        ports = [quiet_port(draw) for _ in range(4)]
        argv, user = postgres_command(place, ports[0], durable=True)
        self.postgres = Machine("postgres", argv, ports[0], place / "log", user=user)
        self.redis = Machine("redis", redis_command(folder, ports[1]), ports[1], folder / "redis.log")
        self.database_url = f"postgresql+asyncpg://astra@127.0.0.1:{ports[0]}/postgres"
        self.redis_url = f"redis://127.0.0.1:{ports[1]}/0"
        command = [sys.executable, "-m", "astra_env_server", "serve"]
        given = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "ISOLATION": isolation,
            "MAX_ENVS": str(max_envs),
            "LOG_FORMAT": "json",
        }
        self.replicas = [
            Machine(
                f"replica {number}", command, port, folder / f"replica-{number}.log", ready="/healthz",
                env={f"ASTRA_ENV_SERVER_{key}": value for key, value in given.items()}
                | {
                    "ASTRA_ENV_SERVER_PORT": str(port),
                    "ASTRA_ENV_SERVER_ADVERTISED_URL": f"http://127.0.0.1:{port}",
                    "TMPDIR": str(self.scratch),
                    "PYTHONPATH": str(ROOT),
                },
            )
            for number, port in enumerate(ports[2:])
        ]  # fmt: skip
        self.idle_depth = 0
        """How far below a replica the processes of its sandbox reach when no session is open; one further with one."""
        self.machines = [self.postgres, self.redis, *self.replicas]

    async def up(self) -> None:
        """Start everything and wait until it answers."""
        for machine in self.machines:
            machine.start()
            if not machine.name.startswith("replica"):
                await machine.up()
        await asyncio.gather(*(replica.up() for replica in self.replicas))
        self.idle_depth = max(len(levels(replica.pid)) for replica in self.replicas)

    def stop(self) -> None:
        """End everything, the stores last."""
        for machine in [*self.replicas, self.redis]:
            machine.stop()
        self.postgres.stop(signal.SIGINT)
