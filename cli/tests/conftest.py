"""The `astra` command as a person runs it: another process, real services behind it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from astra.endpoints import Endpoints


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """What a command finds around it."""
    return {**os.environ, "ASTRA_DATA_DIR": str(data_dir), "COLUMNS": "160", **more}


def run(data_dir: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "astra", *arguments],
        input=stdin, capture_output=True, text=True, env=environment(data_dir, **more), timeout=200,
    )  # fmt: skip


def documents(data_dir: Path, *arguments: str) -> list[Any]:
    """What a command that succeeds prints with ``--json``: one document a line."""
    ended = run(data_dir, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


class Family(list[psutil.Process]):
    """Processes that began together."""

    def gone(self) -> bool:
        """Whether none of them lives."""
        return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in self)

    def wait_gone(self) -> None:
        """Wait until none of them lives."""
        _, alive = psutil.wait_procs(self, timeout=60)
        assert not alive, alive


class Up:
    """An `astra up` in a process of its own."""

    def __init__(self, data_dir: Path, **more: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "astra", "up", "--first-port", "0", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(data_dir, **more),
        )  # fmt: skip
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.endpoints = Endpoints.model_validate_json(line)

    def family(self) -> Family:
        """Every process below it."""
        return Family(psutil.Process(self.process.pid).children(recursive=True))

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; its exit code and what it said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture(scope="session")
def astra() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs one command to its end: ``astra(data_dir, "arena", "ls")``."""
    return run


@pytest.fixture(scope="session", name="documents")
def _documents() -> Callable[..., list[Any]]:
    """The documents that a command prints with ``--json``."""
    return documents


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Up]]:
    """Starts an `astra up`: ``start(data_dir)``. What a test leaves running is ended."""
    started: list[Up] = []

    def begin(data_dir: Path, **more: str) -> Up:
        started.append(Up(data_dir, **more))
        return started[-1]

    yield begin
    for up in started:
        if up.process.poll() is None:
            up.end(signal.SIGINT)
