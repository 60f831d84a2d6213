"""A cell: one subject under one load, seen from both sides."""

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from scripts.with_services import die_with_parent
from tests.bench import usage
from tests.bench.load import Plan
from tests.bench.players import Lacking
from tests.bench.servers import ROOT, Server


@dataclass(frozen=True)
class Cell:
    """What was seen. Times are milliseconds."""

    subject: str
    clients: int
    round: int
    steps: int
    cpu_ms: float
    """CPU time of the server and everything below it, for one env step."""
    below_cpu_ms: float
    """The part of it below the server: runners and sessions of the sandbox."""
    database_cpu_ms: float | None
    """The same of Postgres, where it is the store; SQLite's work is in ``cpu_ms`` already."""
    rps: float
    """Env steps in a second."""
    p50_ms: float
    p99_ms: float
    reply_bytes: float
    load: float
    """Load average of the machine when it ended: above the number of cores, others were at work."""


class Load:
    """The process that makes the load of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.say(json.dumps(dataclasses.asdict(plan)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            self._process.kill()
        self._process.communicate()

    def say(self, line: str = "") -> None:
        """Send a line: the plan, or the word to go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self, event: str) -> dict[str, Any]:
        """Wait for the event; raises Lacking with the reason when it cannot come."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line else {"event": "failed", "why": "the load process ended"}
        if told["event"] != event:
            raise Lacking(str(told.get("why", told)))
        return told


def measure(subject: str, server: Server, plan: Plan, round_: int) -> Cell:
    """One cell; raises Lacking when the server does not offer what the plan asks for."""
    with Load(plan) as load:
        load.hear("ready")
        before = _cpu(server)
        load.say()
        ran = load.hear("ran")
        after = _cpu(server)
        load.say()
    whole, own, stored = ((late - early) * 1e3 / ran["steps"] for early, late in zip(before, after, strict=True))
    return Cell(
        subject=subject,
        clients=plan.clients,
        round=round_,
        steps=ran["steps"],
        cpu_ms=whole,
        below_cpu_ms=whole - own,
        database_cpu_ms=stored if server.database_pid else None,
        rps=ran["rps"],
        p50_ms=ran["p50_ms"],
        p99_ms=ran["p99_ms"],
        reply_bytes=ran["reply_bytes"],
        load=os.getloadavg()[0],
    )


def _cpu(server: Server) -> tuple[float, float, float]:
    """Seconds of the tree, of the server alone, of its database."""
    stored = usage.cpu_seconds(server.database_pid) if server.database_pid else 0.0
    return usage.cpu_seconds(server.pid), usage.own_cpu_seconds(server.pid), stored
