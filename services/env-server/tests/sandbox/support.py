"""Small helpers of these tests."""

import functools
import os
import re
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import docker
import docker.errors
import psutil
from astra_env_server.sandbox.base import Bundle, CallOutcome, Sandbox, ToolCode
from astra_env_server.sandbox.engine import LABEL


def bundle(**tools: str) -> Bundle:
    """A bundle of tools by name → source."""
    return Bundle(tuple(ToolCode(name, textwrap.dedent(code)) for name, code in tools.items()))


def tool(body: str, *, name: str = "probe", takes: str = "") -> Bundle:
    """A bundle of one tool whose function has this body."""
    return Bundle((ToolCode(name, f"def {name}({takes}):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")),))


def cases(bodies: list[str]) -> Bundle:
    """A bundle with one tool a body, called case_0, case_1, …: one runner serves them all."""
    return Bundle(tuple(tool(body, name=f"case_{i}").tools[0] for i, body in enumerate(bodies)))


async def once(sandbox: Sandbox, code: Bundle, timeout_s: float = 10.0, **arguments: object) -> CallOutcome:
    """The outcome of one call of the bundle's first tool, in a session of its own."""
    session = await sandbox.open(code, 0)
    try:
        return await session.call(code.tools[0].name, arguments, timeout_s)
    finally:
        await session.close()


async def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether it comes true; the time is only there to end a test that fails."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        await anyio.sleep(0.02)
    return True


def below(pid: int | None = None) -> set[int]:
    """Processes that this one started and are not dead: its descendants, and those in the containers of its runners."""
    of_containers = {p.pid for p in psutil.process_iter() if contained_for(p) == (pid or os.getpid())}
    return {p for p in {c.pid for c in psutil.Process(pid).children(recursive=True)} | of_containers if running(p)}


def contained_for(process: psutil.Process) -> int | None:
    """The server of a process that runs in a container for one."""
    try:
        if not any('"server": "/astra' in argument for argument in process.cmdline()):
            return None
        found = re.search(r"\b[0-9a-f]{64}\b", Path(f"/proc/{process.pid}/cgroup").read_text())
    except (psutil.Error, OSError):
        return None
    return server_of(found[0]) if found else None


@functools.cache
def server_of(container: str) -> int | None:
    """The process that a container's label names."""
    try:
        inspected = docker.from_env().api.inspect_container(container)
    except docker.errors.DockerException:
        return None
    return int(inspected["Config"]["Labels"].get(LABEL, "/0").rpartition("/")[2])


def running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def containers_of(server: int) -> list[str]:
    """Containers that were made for a server, in whatever state; none where there is no engine."""
    try:
        api = docker.from_env().api
        return [c["Id"] for c in api.containers(all=True, filters={"label": f"{LABEL}={os.uname().nodename}/{server}"})]
    except docker.errors.DockerException:
        return []


def shared_folders() -> set[str]:
    """The folders in which servers meet containers."""
    return {str(p) for p in Path(tempfile.gettempdir()).glob("astra-runners-*/*")}
