"""Nothing that a service started outlives it, its guard or `astra up`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from astra.embedded import guard

# A service with a child, and a grandchild that left its session and lost its parent. Each writes down its id.
FAMILY = """
import os, signal, sys, time
folder, manner = sys.argv[1:]
def note(name):
    with open(f"{folder}/{name}.tmp", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{folder}/{name}.tmp", f"{folder}/{name}")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note("orphan")
        time.sleep(600)
    os._exit(0)
if os.fork() == 0:
    note("child")
    time.sleep(600)
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
note("service")
while not os.path.exists(f"{folder}/leave"):
    time.sleep(0.02)
sys.exit(7)
"""
# `astra up`, as far as the guard is concerned.
LAUNCHER = """
import os, subprocess, sys, time
subprocess.Popen([*sys.argv[1:5], str(os.getpid()), *sys.argv[5:]])
time.sleep(600)
"""


@pytest.fixture
def spawned() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def start(tmp_path: Path, manner: str, grace: str = "5") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", FAMILY, str(tmp_path), manner]
    return subprocess.Popen([sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), grace, "--", *command])


def family(tmp_path: Path) -> list[psutil.Process]:
    names = ("service", "child", "orphan")
    until(lambda: all((tmp_path / name).exists() for name in names))
    return [psutil.Process(int((tmp_path / name).read_text())) for name in names]


def until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_a_service_that_ends_takes_its_family_along(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    spawned.append(start(tmp_path, "willing"))
    members = family(tmp_path)
    (tmp_path / "leave").touch()
    assert spawned[0].wait(60) == 7
    until(lambda: gone(members))


def test_sigterm_ends_all(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    spawned.append(start(tmp_path, "willing"))
    members = family(tmp_path)
    spawned[0].terminate()
    assert spawned[0].wait(60) == 128 + signal.SIGTERM
    until(lambda: gone(members))


def test_a_stubborn_service_is_killed(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    spawned.append(start(tmp_path, "stubborn", grace="0.3"))
    members = family(tmp_path)
    spawned[0].terminate()
    assert spawned[0].wait(60) == 128 + signal.SIGKILL
    until(lambda: gone(members))


def test_a_killed_guard_takes_its_service_along(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    spawned.append(start(tmp_path, "stubborn"))
    service, *others = family(tmp_path)
    try:
        spawned[0].kill()
        until(lambda: gone([service]))
    finally:
        for process in others:
            process.kill()


def test_a_killed_launcher_takes_all_along(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    command = [sys.executable, "-c", FAMILY, str(tmp_path), "willing"]
    guarded = [sys.executable, "-I", "-S", guard.__file__, "5", "--", *command]
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, *guarded])
    spawned.append(launcher)
    members = family(tmp_path)
    launcher.kill()
    until(lambda: gone(members))


def test_what_cannot_start_says_so() -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), "1", "--", "/no/such/program"],
        capture_output=True,
    )
    assert ended.returncode == 127
    assert b"/no/such/program" in ended.stderr
