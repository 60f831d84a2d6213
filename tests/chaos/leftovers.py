"""What is still there when it should not be."""

import asyncio
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx2
import psutil

from tests.chaos.machines import Machine, World, family, levels

PATIENCE_S = 20.0


def processes(own: int) -> list[str]:
    """Processes below ours, some time after all that we started has been stopped."""
    until = time.monotonic() + PATIENCE_S
    while left := family(own):
        if time.monotonic() > until:
            return [_describe(process) for process in left]
        time.sleep(0.1)
    return []


def sockets(world: World) -> list[str]:
    """Sockets in the run's folder, and its ports if somebody still listens there."""
    paths = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    found = [f"unix socket {path}" for path in paths if path.startswith(str(world.folder))]
    ours = {machine.port for machine in world.machines}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if int(local.split(":")[1], 16) in ours and state == "0A":
            found.append(f"somebody listens on {local}")
    return found


def folders(world: World) -> list[str]:
    """What the servers left in the folder that they were given for such things."""
    return [f"left in the temporary folder: {path.relative_to(world.scratch)}" for path in world.scratch.rglob("*")]


def containers(before: set[str]) -> list[str]:
    """Containers that were not there before."""
    return [f"container {name}" for name in running_containers() - before]


def running_containers() -> set[str]:
    """Of this project, in any state; none where there is no Docker."""
    docker = shutil.which("docker")
    if docker is None:
        return set()
    told = subprocess.run(
        [docker, "ps", "-a", "--format", "{{.ID}} {{.Labels}}"], capture_output=True, text=True, check=False
    )
    return {line.split()[0] for line in told.stdout.splitlines() if "astra" in line}


async def sessions(world: World) -> list[str]:
    """Envs, and processes of envs, that a replica keeps after the last env was deleted."""
    until = time.monotonic() + PATIENCE_S
    while True:
        left = []
        for replica in world.replicas:
            envs, open_sessions = await _envs(replica), levels(replica.pid)[world.idle_depth :]
            left += [f"{replica.name} keeps {envs} envs"] if envs else []
            left += [f"{replica.name} keeps {_describe(process)}" for level in open_sessions for process in level]
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(0.2)


async def _envs(replica: Machine) -> int:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        found = re.search(r"^astra_env_live (\S+)$", (await http.get(f"{replica.url}/metrics")).text, re.M)
    return int(float(found[1])) if found else 0


def _describe(process: psutil.Process) -> str:
    try:
        return f"process {process.pid}: {' '.join(process.cmdline())[:200]}"
    except psutil.NoSuchProcess:
        return f"process {process.pid}, just gone"
