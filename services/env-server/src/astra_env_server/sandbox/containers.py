"""Runners in containers: the same warden, zygote and sessions, in a container of their own that the engine starts.

A container has no network and nothing to write on. Server and runner meet on a unix socket in a folder that both see,
named by 128 random bits, there for as long as the runner takes to connect to it. The two connections are the control
socket and the link of every other tier, and descriptors pass through them as between any two processes of one kernel.
When the server goes, so do the connections, with them the warden, and with it the container.
"""

import asyncio
import contextlib
import json
import os
import platform
import secrets
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_service.tasks import end

from astra_env_server.sandbox.base import Limits, NoIsolation, SandboxLost
from astra_env_server.sandbox.engine import Engine, EngineError
from astra_env_server.sandbox.rendezvous import CODE, SharedFolder
from astra_env_server.sandbox.runner import START_S, Runner

_HERE = Path(__file__).parent
_PIDS = 1200
"""Processes of one runner: its sessions, warden and zygote, and room for those that are on their way out."""
_NOBODY = "65534:65534"


@dataclass(frozen=True)
class ContainerOptions:
    """What an operator may say about the containers of runners."""

    image: str = "python:3.11-slim-bookworm"
    """Any image with Python 3.11 or later as ``python3``; nothing in it is changed."""
    folder: Path | None = None
    """Where the sockets lie; None makes a folder for temporary files. A server in a container names a volume of its."""
    memory_bytes: int = 2 * 2**30
    """Of one container: all the sessions of an arena together."""
    cpus: float = 2.0
    """Processors that one container may use; no more than the machine has."""


class ContainerLaunch:
    """Starts runners in containers of one engine."""

    def __init__(self, tier: str, limits: Limits, options: ContainerOptions, engine: Engine, shared: SharedFolder):
        self.tier = tier
        self.limits = limits
        self._options = options
        self._engine = engine
        self._shared = shared
        self._runtime = "runsc" if tier == "gvisor" else None
        self._reaper = asyncio.create_task(self._reap_forever())

    @property
    def reaped(self) -> int:
        """Containers of dead servers that it removed."""
        return self._engine.reaped

    async def start(self) -> Runner:
        """A runner that is locked and waits for code. Raises SandboxLost with what it complained of."""
        token = secrets.token_hex(16)
        name = f"astra-runner-{token[:12]}"
        with self._shared.listener(token) as listener:
            tree = Container(self._engine, name)
            try:
                tree.pid = await self._engine.start(name, self._description(self._shared.inside(token)))
                async with asyncio.timeout(START_S):
                    control, link = [await accept(listener) for _ in range(2)]
            except (EngineError, TimeoutError) as error:
                why = f"{str(error) or 'nobody connects'} {await self._engine.why_ended(name)}"
                await tree.end()
                raise SandboxLost(f"a container did not start: {why}") from None
            except BaseException:
                await tree.end()
                raise
        return await Runner.begin(self.limits, tree, control, link)

    async def close(self) -> None:
        """Leave no folder and no connection behind; every runner has ended."""
        await end(self._reaper)
        self._shared.remove()
        await self._engine.close()

    async def _reap_forever(self) -> None:
        while True:
            with contextlib.suppress(EngineError):
                await self._engine.reap()
            await asyncio.sleep(60)

    def _description(self, address: str) -> dict[str, Any]:
        configuration = {
            "server": address,
            "uid": None,  # the engine starts it as nobody
            "limits": {k: v for k, v in asdict(self.limits).items() if isinstance(v, int)},
        }
        command = ["python3", "-P", "-S", "-s", "-B", "-X", "utf8", "-m", "inside", json.dumps(configuration)]
        hashing = {"PYTHONHASHSEED": "0", "PYTHONPATH": self._shared.inside(CODE), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return {
            "Image": self._options.image,
            "Entrypoint": [],
            "Cmd": command,
            "Env": [f"{name}={value}" for name, value in hashing.items()],
            "User": _NOBODY,
            "WorkingDir": "/",
            "Hostname": "astra",
            "NetworkDisabled": True,
            "Healthcheck": {"Test": ["NONE"]},
            "StopSignal": "SIGKILL",
            "HostConfig": {
                "AutoRemove": True,
                "Runtime": self._runtime,
                "NetworkMode": "none",
                "IpcMode": "none",
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp_profile()}"],
                # Under gVisor the threads of its own kernel count too.
                "PidsLimit": None if self._runtime else _PIDS,
                "Memory": self._options.memory_bytes,
                "MemorySwap": self._options.memory_bytes,
                "NanoCpus": int(min(self._options.cpus, self._engine.processors) * 1e9),
                "OomScoreAdj": 500,
                "Tmpfs": {"/tmp": "size=1m,mode=1777,noexec,nosuid,nodev"},
                "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 4096, "Hard": 4096}],
                "LogConfig": {"Type": "none"},
                "RestartPolicy": {"Name": "no"},
                "Mounts": [self._shared.mount],
            },
        }


class Container:
    """The processes of one container."""

    signals = False  # its processes are numbered apart, and may be another user's

    def __init__(self, engine: Engine, name: str) -> None:
        self.pid = 0
        self.name = name
        self._engine = engine
        self._over = asyncio.Event()

    def exited(self) -> bool:
        """Never known before the link says so, which it does at once."""
        return self._over.is_set()

    async def wait(self) -> None:
        """Wait until it has been removed."""
        await self._over.wait()

    async def end(self) -> str:
        """Remove it. What it complained of, it said on the control socket."""
        try:
            await self._engine.remove(self.name)
        except EngineError as error:
            return str(error)
        finally:
            self._over.set()
        return ""


def seccomp_profile() -> str:
    """Our filter for the whole container, as JSON: it does not depend on what the engine thinks is safe."""
    return (_HERE / "seccomp.json").read_text()


async def accept(listener: socket.socket) -> socket.socket:
    """The next connection."""
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    return connection


async def plan_containers(tier: str, limits: Limits, options: ContainerOptions) -> ContainerLaunch:
    """How to start runners in containers here; raises NoIsolation when something that they need is missing."""
    if platform.machine() not in ("x86_64", "aarch64"):
        raise NoIsolation(f"there is no filter for {platform.machine()}")
    engine = await Engine.connect()
    try:
        _refuse(engine.shortcomings("runsc" if tier == "gvisor" else None))
        await engine.need_image(options.image)
        await engine.reap()
        shared = SharedFolder(await engine.visible(options.folder), os.getpid())
    except (EngineError, OSError) as error:
        await engine.close()
        raise NoIsolation(str(error)) from None
    except BaseException:
        await engine.close()
        raise
    return ContainerLaunch(tier, limits, options, engine, shared)


def _refuse(reasons: Iterable[str]) -> None:
    if found := "; ".join(reasons):
        raise NoIsolation(found)
