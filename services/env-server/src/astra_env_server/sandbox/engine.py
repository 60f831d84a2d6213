"""The Docker engine, off the event loop: its SDK blocks, so each call is made in one of a few threads."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import requests

from astra_env_server.sandbox.base import NoIsolation

Result = TypeVar("Result")

LABEL = "astra.runner"
"""On every container of ours; its value names the server: machine name and process."""
_THREADS = 4
"""More starts at once finish no sooner."""
_STALE_S = 120
"""A container that is made and not started after this long was left by a server that died in between."""


class EngineError(Exception):
    """The engine refused, or does not answer."""


@dataclass(frozen=True)
class Visible:
    """A folder of ours, and by which name the engine can show it to a container."""

    ours: Path | None
    """None: make one, where files of a moment go."""
    kind: str = "bind"
    source: str = ""
    rest: str = ""
    """The way from ``source`` to the folder."""


class Engine:
    """One engine on this machine."""

    def __init__(self, client: docker.APIClient, threads: ThreadPoolExecutor, info: dict[str, Any]) -> None:
        self._client = client
        self._threads = threads
        self._info = info
        self.processors: int = info.get("NCPU") or 1
        self.reaped = 0
        """Containers of dead servers that were removed."""

    @classmethod
    async def connect(cls) -> "Engine":
        """The engine that DOCKER_HOST names, else the one of the machine. Raises NoIsolation when none answers."""
        threads = ThreadPoolExecutor(_THREADS, "docker")

        def ask() -> tuple[docker.APIClient, dict[str, Any]]:
            client = docker.from_env(timeout=60).api
            return client, client.info()

        try:
            client, info = await asyncio.get_running_loop().run_in_executor(threads, ask)
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            threads.shutdown(wait=False)
            raise NoIsolation(f"no Docker engine answers: {_first_line(error)}") from None
        if client.base_url != "http+docker://localhost":
            threads.shutdown(wait=False)
            raise NoIsolation(f"the Docker engine is not on this machine, but at {client.base_url}")
        return cls(client, threads, info)

    def shortcomings(self, runtime: str | None) -> Iterator[str]:
        """What this engine cannot do of what a runner's container needs."""
        if runtime and runtime not in self._info.get("Runtimes", {}):
            known = ", ".join(sorted(self._info.get("Runtimes", {})))
            yield f"the Docker engine has no runtime {runtime}, only {known}: install gVisor and name it to the engine"
        if self._info.get("OSType") != "linux":
            yield "the Docker engine runs no Linux containers"
        if not any("name=seccomp" in option for option in self._info.get("SecurityOptions") or []):
            yield "the Docker engine knows no seccomp"
        # An engine without cgroups (rootless, on the first version of them) takes limits and ignores them.
        for limit in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"):
            if not self._info.get(limit) or self._info.get("CgroupDriver") == "none":
                yield f"the Docker engine cannot enforce {limit}"

    async def need_image(self, image: str) -> None:
        """Raises NoIsolation when the engine does not hold it."""
        try:
            await self._call(lambda: self._client.inspect_image(image))
        except EngineError:
            raise NoIsolation(f"the image {image} is not on this machine: docker pull {image}") from None

    async def start(self, name: str, description: dict[str, Any]) -> int:
        """Make a container and start it; the number of its first process here, 0 where it cannot be seen."""
        labels = {LABEL: f"{os.uname().nodename}/{os.getpid()}"}

        def make() -> int:
            self._client.create_container_from_config({**description, "Labels": labels}, name)
            self._client.start(name)
            with contextlib.suppress(docker.errors.DockerException):
                return int(self._client.inspect_container(name)["State"]["Pid"])
            return 0

        return await self._call(make)

    async def remove(self, name: str) -> None:
        """End a container and forget it; nothing happens when there is none of that name."""

        def remove() -> None:
            try:
                self._client.remove_container(name, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code != 409:
                    raise
                # It is being removed already.
                with contextlib.suppress(docker.errors.NotFound):
                    self._client.wait(name, timeout=30, condition="removed")

        await self._call(remove)

    async def why_ended(self, name: str) -> str:
        """What the engine says of a container that went too soon; empty when it says nothing."""
        with contextlib.suppress(EngineError, KeyError):
            state = (await self._call(lambda: self._client.inspect_container(name)))["State"]
            return f"({state['Status']}, exit {state['ExitCode']}{', ' + state['Error'] if state['Error'] else ''})"
        return ""

    async def reap(self) -> None:
        """Remove what dead servers left: a running container ends with its server, the others are dead weight."""

        def reap() -> int:
            removed = 0
            filters = {"label": LABEL, "status": ["created", "exited", "dead"]}
            for found in self._client.containers(all=True, filters=filters):
                if found["State"] != "created" or time.time() - found["Created"] > _STALE_S:
                    with contextlib.suppress(docker.errors.APIError):
                        self._client.remove_container(found["Id"], force=True)
                        removed += 1
            return removed

        self.reaped += await self._call(reap)

    async def visible(self, folder: Path | None) -> Visible:
        """How the engine can show a folder of ours to containers. Raises NoIsolation when it cannot."""
        own = _own_container()
        if own is None:
            return Visible(folder, source=str(folder or ""))
        if folder is None:
            raise NoIsolation("this server runs in a container: name a volume of it in docker_folder")
        mounts = (await self._call(lambda: self._client.inspect_container(own)))["Mounts"]
        for mount in sorted(mounts, key=lambda mount: -len(mount["Destination"])):
            if folder.is_relative_to(mount["Destination"]):
                rest = str(folder.relative_to(mount["Destination"]))
                source = mount["Name"] if mount["Type"] == "volume" else mount["Source"]
                return Visible(folder, mount["Type"], source, rest)
        raise NoIsolation(f"docker_folder {folder} is in no volume of this server's container")

    async def close(self) -> None:
        """Hang up."""
        self._client.close()
        self._threads.shutdown(wait=False)

    async def _call(self, function: Callable[[], Result]) -> Result:
        """Call it in a thread, and wait for its end even when nobody wants it any more: half a start is no start."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise EngineError(_first_line(error)) from None


def _own_container() -> str | None:
    """The container this process runs in, if an engine's: it mounts its files into it."""
    with contextlib.suppress(OSError):
        found = re.search(r"/containers/([0-9a-f]{64})/", Path("/proc/self/mountinfo").read_text())
        return found and found[1]
    return None


def _first_line(error: Exception) -> str:
    explained = getattr(error, "explanation", None) or str(error)
    return str(explained).strip().split("\n")[0][:500]
