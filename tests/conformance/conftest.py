"""A real env server with an arena, for clients that others wrote."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.bench import servers
from tests.bench.players import Lacking

Json = dict[str, Any]
Ask = Callable[..., Json]

HERE = Path(__file__).parent
LIBRARY = HERE.parent.parent / "services" / "env-server" / "examples" / "library.json"

LOAN: Json = {"name": "find_overdue_loan", "arguments": {"member_id": "M-2041"}}
FINE: Json = {"name": "compute_late_fine", "arguments": {"days_late": 12, "membership": "standard"}}


class Running:
    """The server, and a plain client of it."""

    def __init__(self, server: servers.Server, arena_id: str) -> None:
        self.url, self.ws = f"http://127.0.0.1:{server.port}", f"ws://127.0.0.1:{server.port}"
        self.arena_id, self.process = arena_id, psutil.Process(server.pid)
        self.http = httpx2.Client(base_url=self.url, timeout=60)

    def env(self, **options: Any) -> str:
        """A new env of the arena, not reset."""
        made = self.http.post("/envs", json={"arena_id": self.arena_id, **options})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def live(self) -> int:
        """Envs that the server holds."""
        found: int = self.http.get("/capacity").json()["envs"]
        return found

    def settle(self, live: int) -> None:
        """Waits until the server holds so many envs."""
        self.until(lambda: self.live() == live)

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits; the test's own time limit ends the wait."""
        while not holds():
            time.sleep(0.02)

    def trajectory(self, env_id: str) -> Json:
        """The episode as the server logged it."""
        found: Json = self.http.get(f"/envs/{env_id}/trajectory").json()
        return found


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for every test here."""
    folder = tmp_path_factory.mktemp("conformance")
    with servers.env_server(folder, f"sqlite+aiosqlite:///{folder}/db.sqlite") as server:
        url = f"http://127.0.0.1:{server.port}"
        reply = httpx2.post(f"{url}/arenas", json=json.loads(LIBRARY.read_text()), timeout=60)
        assert reply.status_code in (200, 201), reply.text
        yield Running(server, reply.json()["id"])


@pytest.fixture(scope="session")
def peer_python(repository: Path) -> Path:
    """A Python with openenv 0.10.0 and the mcp SDK of the generation before ours, both as PyPI has them."""
    try:
        return servers.openenv_python(repository / "out" / "bench")
    except Lacking as error:
        pytest.skip(f"the OpenEnv client goes UNTESTED: {error}")


@pytest.fixture
def ask(peer_python: Path) -> Ask:
    """Runs a program of ``clients/`` with that Python; gives what it printed last, as JSON."""

    def run(program: str, *arguments: str) -> Json:
        command = [str(peer_python), str(HERE / "clients" / program), *arguments]
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert told.returncode == 0, told.stderr[-4000:]
        found: Json = json.loads(told.stdout.splitlines()[-1])
        return found

    return run
