"""The docker tier where it meets the engine: what is promised, what is refused, a server in a container itself."""

import fcntl
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from astra_env_server.sandbox.base import NoIsolation
from astra_env_server.sandbox.containers import ContainerOptions, seccomp_profile
from astra_env_server.sandbox.engine import LABEL, Engine
from astra_env_server.sandbox.inside.syscalls import NUMBERS
from astra_env_server.sandbox.opening import Options, open_sandbox
from astra_env_server.sandbox.pool import PoolSize
from astra_env_server.sandbox.rendezvous import sweep

from .conftest import LIMITS
from .support import containers_of, tool

IMAGE = "python:3.11-slim-bookworm"
ROOT = Path(__file__).parents[4]


@pytest.mark.anyio
@pytest.mark.docker
async def test_a_runner_has_the_container_that_was_promised() -> None:
    sandbox = await open_sandbox("docker", Options(LIMITS, PoolSize(max_runners=1, warm=0)))
    session = await sandbox.open(tool("return 1"), 0)
    (container,) = containers_of(os.getpid())
    found = docker.from_env().api.inspect_container(container)
    host = found["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
    assert (host["CapDrop"], host["Privileged"], host["AutoRemove"]) == (["ALL"], False, True)
    assert host["SecurityOpt"][0] == "no-new-privileges"
    assert json.loads(host["SecurityOpt"][1].removeprefix("seccomp=")) == json.loads(seccomp_profile())
    assert host["Memory"] == host["MemorySwap"] == 2 * 2**30
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 1024
    assert found["Config"]["User"] == "65534:65534"
    assert [(mount["Destination"], mount["RW"]) for mount in found["Mounts"]] == [("/astra", False)]
    await session.close()
    await sandbox.close()
    assert containers_of(os.getpid()) == []


@pytest.mark.anyio
@pytest.mark.docker
async def test_an_image_that_is_not_there_is_named() -> None:
    with pytest.raises(NoIsolation, match="docker pull astra-has-no-such-image:1"):
        await open_sandbox("docker", Options(containers=ContainerOptions(image="astra-has-no-such-image:1")))


@pytest.mark.anyio
@pytest.mark.docker
async def test_gvisor_is_offered_only_where_the_engine_has_it() -> None:
    has_it = "runsc" in docker.from_env().api.info()["Runtimes"]
    # Where it is there, until gVisor's kernel has what the locks need.
    why = "Landlock is not in this kernel" if has_it else r"has no runtime runsc, only .*runc"
    with pytest.raises(NoIsolation, match=why):
        await open_sandbox("gvisor")


@pytest.mark.anyio
@pytest.mark.docker
async def test_what_dead_servers_left_is_removed() -> None:
    api = docker.from_env().api
    name = f"astra-runner-left-{secrets.token_hex(4)}"
    api.create_container(IMAGE, ["true"], name=name, labels={LABEL: "gone/1"}, network_disabled=True)
    api.start(name)
    api.wait(name, timeout=30)
    engine = await Engine.connect()
    await engine.reap()
    await engine.close()
    assert engine.reaped >= 1
    assert not api.containers(all=True, filters={"name": name})


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"astra-tests-{secrets.token_hex(4)}"
    docker.from_env().api.create_volume(name)
    yield name
    docker.from_env().api.remove_volume(name)


CONTAINED = """
import asyncio, pathlib, sys
from astra_env_server.sandbox.base import Bundle, NoIsolation, ToolCode
from astra_env_server.sandbox.containers import ContainerOptions
from astra_env_server.sandbox.opening import Options, open_sandbox

CODE = Bundle((ToolCode("nap", "import time\\ndef nap(s):\\n time.sleep(s)\\n return s\\n"),))

async def main():
    where = pathlib.Path(sys.argv[1]) if sys.argv[1] else None
    try:
        sandbox = await open_sandbox("docker", Options(containers=ContainerOptions(folder=where)))
    except NoIsolation as error:
        return print(error)
    one, other = await sandbox.open(CODE, 0), await sandbox.open(CODE, 0)
    print((await one.call("nap", {"s": 0}, 9)).output, (await one.call("nap", {"s": 9}, 0.3)).error_class, one.alive)
    print((await other.call("nap", {"s": 0}, 9)).output, other.alive)
    await sandbox.close()

asyncio.run(main())
"""


@pytest.mark.docker
@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("/run/astra/of-this-server", "0 timeout False\n0 True\n"),
        ("", "name a volume of it in docker_folder"),
        ("/tmp", "docker_folder /tmp is in no volume"),
    ],
)
def test_a_server_in_a_container_starts_runners_beside_itself(volume: str, folder: str, told: str) -> None:
    seen = {str(ROOT), sys.prefix, sys.base_prefix}
    command = ["docker", "run", "--rm", "--network", "none", "-v", "/var/run/docker.sock:/var/run/docker.sock"]
    command += [part for path in seen for part in ("-v", f"{path}:{path}:ro")]
    command += ["-v", f"{volume}:/run/astra", IMAGE, sys.executable, "-c", CONTAINED, folder]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told in ended.stdout, ended.stdout + ended.stderr


def test_the_containers_filter_allows_what_the_locks_inside_need_and_no_more() -> None:
    profile = json.loads(seccomp_profile())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    plain = {n for rule in profile["syscalls"] for n in rule["names"] if rule["action"] == "SCMP_ACT_ALLOW"}
    outright = {n for rule in profile["syscalls"] if "args" not in rule for n in rule["names"]} & plain
    for _, numbers in NUMBERS.values():
        assert set(numbers) - {"clone3"} <= plain, set(numbers) - plain
    for name in (
        "ptrace", "process_vm_readv", "mount", "umount2", "unshare", "setns", "keyctl", "add_key", "bpf", "chroot",
        "perf_event_open", "userfaultfd", "memfd_create", "execveat", "pivot_root", "init_module", "kexec_load",
        "reboot", "clock_settime", "mknod", "mknodat", "chmod", "fchmodat", "unlinkat", "linkat", "symlinkat", "bind",
        "listen", "io_uring_setup",
    ):  # fmt: skip
        assert name not in plain, name
    assert not {"socket", "clone"} & outright


def test_a_folder_of_a_server_that_lives_is_left_alone(tmp_path: Path) -> None:
    dead, living = tmp_path / "1-dead", tmp_path / "2-living"
    dead.mkdir()
    living.mkdir()
    held = os.open(living, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    sweep(tmp_path)
    os.close(held)
    assert list(tmp_path.iterdir()) == [living]
