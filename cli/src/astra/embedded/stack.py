"""The four services as children: started together, watched together, ended together."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from astra_proto.errors import AstraError
from astra_proto.health import Readiness
from astra_service.client import ApiClient

from astra.embedded import guard, ports
from astra.embedded.lock import FolderLock, Locked
from astra.endpoints import Endpoints
from astra.services import Service

GRACE_S = 25.0
"""How long a service may take to end by itself: a training engine saves its state in that time."""
TAIL_LINES = 15


class StackError(Exception):
    """The services could not be started or did not stay up; the text says which and why."""


class Stack:
    """The services in the embedded mode. Entering starts them, leaving ends them and all that they started."""

    def __init__(self, data_dir: Path, *, token: str | None = None, first_port: int | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self._token = token
        self._first_port = first_port
        self._lock = FolderLock(self.data_dir)
        self._children: dict[Service, subprocess.Popen[bytes]] = {}
        self.states: dict[Service, str] = dict.fromkeys(Service, "starting")
        """What each is doing: ``starting`` with what is missing, ``ready``, or how it ended."""

    async def __aenter__(self) -> Self:
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        try:
            self._lock.take()
        except Locked as held:
            raise StackError(
                f"an `astra up` (process {held.pid}) is running on {self.data_dir}. Use it as it is, end it with "
                f"Ctrl-C, or choose another folder with --data-dir."
            ) from None
        chosen = ports.choose(self._first_port)
        self.endpoints = Endpoints(
            pid=os.getpid(),
            token=self._token,
            urls={service: f"http://{ports.HOST}:{port}" for service, port in chosen.items()},
            logs={service: str(self.data_dir / "logs" / f"{service}.log") for service in Service},
        )
        try:
            for service, port in chosen.items():
                self._children[service] = self._start(service, port)
        except BaseException:
            await self._stop()
            raise
        self.endpoints.write(self.data_dir)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._stop()

    async def wait_ready(self, timeout_s: float = 120.0, *, changed: Callable[[], None] = lambda: None) -> None:
        """Wait until every ``/readyz`` says yes. Raises :class:`StackError` if one dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not all(state == "ready" for state in self.states.values()):
            self._raise_if_dead()
            await asyncio.gather(*(self._ask(service) for service in Service if self.states[service] != "ready"))
            changed()
            if time.monotonic() > deadline:
                late = {s: state for s, state in self.states.items() if state != "ready"}
                told = "\n".join(f"{s} is {state}; its log ends:\n{self._tail(s)}" for s, state in late.items())
                raise StackError(f"not ready within {timeout_s:.0f} s: {told}")
            await asyncio.sleep(0.15)

    async def watch(self) -> None:
        """Never returns; raises :class:`StackError` when a service dies."""
        while True:
            self._raise_if_dead()
            await asyncio.sleep(0.3)

    def _start(self, service: Service, port: int) -> subprocess.Popen[bytes]:
        log = Path(self.endpoints.logs[service])
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        command = [sys.executable, "-m", service.module, "serve"]
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(GRACE_S), "--", *command]
        with log.open("wb") as file:
            return subprocess.Popen(
                guarded,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.data_dir,
                env={**_inherited(), **self._settings(service, port)},
                # A session of its own: Ctrl-C in a terminal reaches `astra up` alone, which ends the others in order.
                start_new_session=True,
            )

    def _settings(self, service: Service, port: int) -> Mapping[str, str]:
        prefix = service.env_prefix
        database = self.data_dir / f"{service}.db"
        given = {
            # `uvx` and the like that came with this Python are found without an activated environment.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            f"{prefix}HOST": ports.HOST,
            f"{prefix}PORT": str(port),
            f"{prefix}DATABASE_URL": f"sqlite+aiosqlite:///{database}",
            f"{prefix}DATA_DIR": str(self.data_dir / service),
        }
        for other, url in self.endpoints.urls.items():
            given[f"{prefix}{other.snake.upper()}_URL"] = url
        if self._token:
            given |= {f"{prefix}API_TOKEN": self._token, f"{prefix}SERVICE_TOKEN": self._token}
        return given

    async def _ask(self, service: Service) -> None:
        async with ApiClient(self.endpoints.urls[service], self._token, timeout_s=5.0, retries=0) as api:
            try:
                readiness = await api.get("/readyz", Readiness)
            except AstraError as error:
                checks = error.extra.get("checks")
                missing = [f"{k}: {v}" for k, v in checks.items() if v != "ok"] if isinstance(checks, dict) else []
                self.states[service] = "waiting for " + "; ".join(missing) if missing else "starting"
            else:
                self.states[service] = "ready" if readiness.ready else "starting"

    def _raise_if_dead(self) -> None:
        for service, child in self._children.items():
            if (code := child.poll()) is not None:
                self.states[service] = f"ended ({code})"
                log = self.endpoints.logs[service]
                raise StackError(f"{service} ended with code {code}. Its log, {log}, ends:\n{self._tail(service)}")

    def _tail(self, service: Service) -> str:
        with suppress(OSError):
            lines = Path(self.endpoints.logs[service]).read_text(errors="replace").splitlines()
            return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (it is empty)"
        return "  (it cannot be read)"

    async def _stop(self) -> None:
        # In the order of dependence: who calls goes before who is called, and none logs errors about the others.
        for service in reversed(Service):
            if (child := self._children.get(service)) and child.poll() is None:
                child.terminate()
        await asyncio.gather(*(asyncio.to_thread(child.wait) for child in self._children.values()))
        Endpoints.path(self.data_dir).unlink(missing_ok=True)
        self._lock.release()


def _inherited() -> dict[str, str]:
    """The environment without what would tie the embedded services to a deployment's Redis."""
    return {k: v for k, v in os.environ.items() if not (k.startswith("ASTRA_") and k.endswith("_REDIS_URL"))}
