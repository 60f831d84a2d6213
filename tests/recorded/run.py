"""Arenas of a language model, made again from its recorded replies: as they are, damaged, and with the worker killed.

``python -m tests.recorded.run`` writes ``out/arenas/recorded.json`` and the tables in the README of synth-worker. It
fails if an arena is unsound, or if one of the recordings as they are gives none.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from astra import console
from astra_proto.arenas import Arena
from astra_proto.jobs import Job, JobStatus
from pydantic import TypeAdapter

from scripts.with_services import free_port
from tests.bench.servers import serving
from tests.recorded.account import Account, Round, Row, by_lot, by_recording, by_round, round_of, row_of
from tests.recorded.model import NAME, Unreliable, listening
from tests.recorded.tapes import ARENAS, CASSETTES, is_meant, recorded

README = Path(__file__).parents[2] / "services" / "synth-worker" / "README.md"
SHARE = 0.3
KILL_EVERY = 60
"""Replies between two deaths of the worker."""


def main(
    out: Annotated[Path, typer.Option(help="Where the account goes.")] = Path("out/arenas"),
    seed: Annotated[int, typer.Option(help="Seed of the damage.")] = 7,
) -> None:
    """Make them, three times over."""
    rounds = {}
    for name, share, kill_every in (
        ("as recorded", 0.0, 0),
        (f"{SHARE:.0%} of replies damaged", SHARE, 0),
        ("and the worker killed", SHARE, KILL_EVERY),
    ):
        console.say(f"{name} …", "dim", to=console.err)
        rounds[name] = made(ARENAS, share=share, kill_every=kill_every, seed=seed)
    plain = rounds["as recorded"]
    steps = sum(row.subquestions for row in plain.rows)
    found = Account(calls_per_subquestion=round(plain.calls / steps, 2), rounds=rounds, lot=lot())
    out.mkdir(parents=True, exist_ok=True)
    (out / "recorded.json").write_text(found.model_dump_json(indent=2) + "\n")
    _write("recordings", by_recording(plain.rows))
    _write("lot", by_lot(found.lot))
    _write("rounds", by_round(found))
    console.say(by_recording(plain.rows) + by_lot(found.lot) + by_round(found))
    if plain.arenas < plain.jobs or any(each.unsound for each in rounds.values()):
        raise typer.Exit(1)


def lot() -> list[Row]:
    """What came of the jobs that were drawn by lot."""
    return TypeAdapter(list[Row]).validate_json((CASSETTES / "lot.json").read_bytes())


def made(names: Sequence[str], *, share: float, kill_every: int, seed: int) -> Round:
    """Recorded jobs through services of their own, a ``share`` of replies damaged, the worker killed after every
    ``kill_every`` of them; 0 for never."""
    model = Unreliable(names, share, seed)
    with tempfile.TemporaryDirectory(prefix="astra-recorded-") as held, ExitStack() as stack:
        folder = Path(held)
        worker = _Worker(folder, stack.enter_context(_env_server(folder)), stack.enter_context(listening(model)))
        stack.callback(worker.end)
        jobs = [{"key": name, "payload": recorded(name)["payload"], "max_attempts": 6} for name in names]
        worker.client.post("/jobs", json={"jobs": jobs}).raise_for_status()
        killed = 0
        while worker.left():
            if kill_every and model.replies >= kill_every * (killed + 1):
                worker.killed()
                killed += 1
            time.sleep(0.1)
        done = [Job.model_validate(each) for each in worker.client.get("/jobs?limit=500").json()["items"]]
        with httpx2.Client(base_url=worker.env_server, timeout=120, trust_env=False) as envs:
            unsound = judged(envs, done)
    rows = [row_of(job) for job in done]
    return round_of(rows, replies=model.replies, hit=model.hit, killed=killed, unsound=unsound)


def judged(envs: httpx2.Client, done: list[Job]) -> list[str]:
    """The published arenas that no job speaks of, or that are not sound, not solved by golden calls, not meant."""
    by_arena = {str(job.outcome["arena_id"]): job for job in done if job.status is JobStatus.DONE}
    published = {each["id"] for each in envs.get("/arenas?limit=500").json()["items"]}
    wrong = sorted(published ^ by_arena.keys())
    for arena_id in published & by_arena.keys():
        arena = Arena.model_validate(envs.get(f"/arenas/{arena_id}/full").json())
        meant = is_meant(arena.spec, by_arena[arena_id].key)
        if not (meant and arena.soundness.sound and abs(played(envs, arena) - 1.0) < 1e-9):
            wrong.append(arena_id)
    return wrong


def played(envs: httpx2.Client, arena: Arena) -> float:
    """What the golden calls earn."""
    env = envs.post("/envs", json={"arena_id": arena.id}).json()["id"]
    envs.post(f"/envs/{env}/reset", json={}).raise_for_status()
    total = 0.0
    for task in arena.spec.subtasks:
        action = {"tool_calls": [task.golden_call.model_dump(mode="json")]}
        total += envs.post(f"/envs/{env}/step", json={"action": action}).json()["reward"]
    envs.delete(f"/envs/{env}")
    return total


@contextmanager
def _env_server(folder: Path) -> Iterator[str]:
    port = free_port()
    env = _settings("env_server", PORT=port, DATABASE_URL=f"sqlite+aiosqlite:///{folder}/env.db")
    argv = [sys.executable, "-m", "astra_env_server", "serve"]
    with serving(argv, port, folder / "env-server.log", ready="/readyz", env=env):
        yield f"http://127.0.0.1:{port}"


class _Worker:
    """A worker on the recorded model, and after it is killed the next one on the same database."""

    def __init__(self, folder: Path, env_server: str, model: str) -> None:
        self.env_server, self._folder, port = env_server, folder, free_port()
        self._port, self._stack = port, ExitStack()
        self._env = _settings(
            "synth_worker", PORT=port, DATABASE_URL=f"sqlite+aiosqlite:///{folder}/synth.db", ENV_SERVER_URL=env_server,
            LLM="openai", LLM_MODEL=NAME, LLM_BASE_URL=model, LEASE_S=2, POLL_S=0.2, BACKOFF_S=0.1, CONCURRENCY=4,
        )  # fmt: skip
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self._start()

    def _start(self) -> None:
        argv, log = [sys.executable, "-m", "astra_synth_worker", "serve"], self._folder / "worker.log"
        self._pid = self._stack.enter_context(serving(argv, self._port, log, ready="/healthz", env=self._env)).pid

    def killed(self) -> None:
        """Kill it, and start another."""
        os.kill(self._pid, signal.SIGKILL)
        self._stack.close()
        self._start()

    def left(self) -> int:
        """How many jobs wait or are worked on."""
        by_status = self.client.get("/jobs/counts").raise_for_status().json()["by_kind"].get("arena", {})
        return int(by_status.get("queued", 0)) + int(by_status.get("running", 0))

    def end(self) -> None:
        """Stop it."""
        self.client.close()
        self._stack.close()


def _settings(service: str, **more: object) -> dict[str, str]:
    given = {"HOST": "127.0.0.1", "LOG_LEVEL": "warning", **more}
    return {f"ASTRA_{service.upper()}_{name}": str(value) for name, value in given.items()}


def _write(mark: str, table: str) -> None:
    head, begin, rest = README.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, end, tail = rest.partition(f"<!-- /{mark} -->")
    if not (begin and end):
        raise typer.BadParameter(f"{README} has no <!-- {mark} --> … <!-- /{mark} -->")
    README.write_text(f"{head}{begin}{table}{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
