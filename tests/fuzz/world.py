"""A real env server with a token, a key of each role, and an arena that is published."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2

from scripts.with_services import free_port
from tests.bench.servers import ROOT, serving
from tests.fuzz.machine import Findings, fuzz
from tests.fuzz.steering import Known, steer

_TOKEN = "token-of-the-test"
_LIBRARY = ROOT / "services" / "env-server" / "examples" / "library.json"
_SETTINGS = {"MAX_ENVS": "24", "MAX_RUNNERS": "6", "STEP_TIMEOUT_S": "2", "REAPER_PERIOD_S": "1", "LOG_FORMAT": "json"}


class World:
    """The server, and who may call it."""

    def __init__(self, url: str) -> None:
        self.url = url
        root = {"Authorization": f"Bearer {_TOKEN}"}
        self.http = httpx2.Client(base_url=url, headers=root, timeout=120, trust_env=False)
        spec = json.loads(_LIBRARY.read_text())
        reply = self.http.post("/arenas", json=spec)
        assert reply.status_code == 201, reply.text
        arena_id = reply.json()["id"]
        self.known = Known(arena_id, self._env(arena_id), spec)
        quotas = {"agent": {"max_envs": 2, "steps_per_minute": 20}}
        keys = [self._key(role, **quotas.get(role, {})) for role in ("agent", "trainer", "publisher", "admin")]
        self.callers = [root, *({"Authorization": f"Bearer {key}"} for key in keys), {}]

    def _key(self, role: str, **more: int) -> str:
        reply = self.http.post("/keys", json={"tenant": "fuzz", "role": role, **more})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["key"])

    def _env(self, arena_id: str) -> str:
        """One whose episode has begun."""
        body = {"arena_id": arena_id, "ttl_s": 3_600, "max_steps": 256}
        env = str(self.http.post("/envs", json=body).raise_for_status().json()["id"])
        self.http.post(f"/envs/{env}/reset", json={}).raise_for_status()
        return env

    def tidy(self, made: list[str]) -> None:
        """Make room again; now and then something stays."""
        for name in made:
            if name.startswith("env_") and int(name[-1], 16) > 0:
                self.http.delete(f"/envs/{name}")
        found = self.http.get(f"/envs/{self.known.env_id}")
        if found.status_code != 200 or found.json()["status"] != "open":  # deleted, or played to its end
            self.http.delete(f"/envs/{self.known.env_id}")
            self.known = replace(self.known, env_id=self._env(self.known.arena_id))

    def fuzz(self, cases: int, seed: int, watch: Callable[[Findings], None] = lambda found: None) -> Findings:
        """So many requests; afterwards the server must be as well as before."""
        found = fuzz(
            self.url,
            cases,
            seed=seed,
            callers=self.callers,
            steer=lambda case, made: steer(case, self.known, made),
            tidy=self.tidy,
            watch=watch,
        )
        reply = self.http.get("/readyz")
        if reply.status_code != 200:
            found.failures["GET /readyz", "not well afterwards"] = reply.text
        return found


class Other:
    """One of the other services, without a token, with nothing in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def fuzz(self, cases: int, seed: int, watch: Callable[[Findings], None] = lambda found: None) -> Findings:
        """So many requests."""
        return fuzz(self.url, cases, seed=seed, watch=watch)


OTHERS: dict[str, dict[str, str]] = {
    "tool-registry": {"ALLOWED_COMMANDS": "[]"},
    "synth-worker": {"CONCURRENCY": "0"},
    "trainer": {"ENGINE_PYTHON": "/bin/false"},
}
"""Services, and settings by which they start nothing of what they are asked for."""
_READS = {"trainer": ("env-server", "synth-worker")}
"""Neighbours that a service reads from as it answers: without them a 503 would be right."""


@contextlib.contextmanager
def other(service: str, folder: Path) -> Iterator[Other]:
    """Another service from here to the end of the block, and the neighbours that it reads from."""
    port, package = free_port(), f"astra_{service.replace('-', '_')}"
    given = {"DATABASE_URL": f"sqlite+aiosqlite:///{folder}/{service}.sqlite", "PORT": str(port)}
    given |= OTHERS.get(service, {}) | ({"DATA_DIR": str(folder)} if service == "trainer" else {})
    with contextlib.ExitStack() as stack:
        for name in _READS.get(service, ()):
            given[f"{name.replace('-', '_').upper()}_URL"] = stack.enter_context(other(name, folder)).url
        env = {f"{package.upper()}_{name}": value for name, value in given.items()}
        argv = [sys.executable, "-m", package, "serve"]
        log = folder / f"{service}.log"
        server = stack.enter_context(serving(argv, port, log, ready="/healthz", env=env))
        yield Other(f"http://127.0.0.1:{server.port}")


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """A server from here to the end of the block; its log is in the folder."""
    port = free_port()
    given = {
        **_SETTINGS,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/db.sqlite",
        "PORT": str(port),
        "API_TOKEN": _TOKEN,
    }
    env = {f"ASTRA_ENV_SERVER_{name}": value for name, value in given.items()}
    argv = [sys.executable, "-m", "astra_env_server", "serve"]
    with serving(argv, port, folder / "env-server.log", ready="/readyz", env=env) as server:
        yield World(f"http://127.0.0.1:{server.port}")
