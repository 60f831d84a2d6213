"""One engine process: started on a folder, watched, stopped, and gone with the service that started it."""

import asyncio
import ctypes
import os
import signal
import sys
from pathlib import Path

from astra_proto.errors import Conflict

from astra_trainer.engines.task import PROGRESS, Progress
from astra_trainer.settings import Settings

ENGINE = "astra_trainer.engines.cpu"
LOG = "engine.log"
TAIL = 2_000
"""Characters of the log that explain a failure."""
_PROBE = """
import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("torch", "transformers", "trl"))))
"""
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class EngineFailed(Exception):
    """The engine ended badly; the message is the end of its log."""


class EngineProcess:
    """The process, from start to end."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process, grace_s: float) -> None:
        self._folder = folder
        self._process = process
        self._grace_s = grace_s
        self.stopping = False

    async def wait(self) -> bool:
        """Wait for the end. True if the work is done, False if it was stopped. Raises :class:`EngineFailed`."""
        code = await self._process.wait()
        if self.stopping:
            return False
        if code:
            tail = (self._folder / LOG).read_text(errors="replace")[-TAIL:].strip()
            raise EngineFailed(f"the engine ended with {_name(code)}: {tail}")
        return True

    async def stop(self) -> None:
        """Tell it to save and end; kill it when it takes too long."""
        self.stopping = True
        for sign, patience in ((signal.SIGTERM, self._grace_s), (signal.SIGKILL, 5.0)):
            if self._process.returncode is not None:
                return
            try:
                os.killpg(self._process.pid, sign)
                async with asyncio.timeout(patience):
                    await self._process.wait()
            except (TimeoutError, ProcessLookupError):
                continue

    def progress(self) -> Progress | None:
        """How far it says it is; None as long as it has said nothing that can be read."""
        try:
            return Progress.model_validate_json((self._folder / PROGRESS).read_bytes())
        except (OSError, ValueError):
            return None


async def start_engine(folder: Path, settings: Settings) -> EngineProcess:
    """Start the engine on a folder that is ready for it. Raises ``Conflict`` where no engine is installed."""
    python = settings.engine_python or sys.executable
    await _check_installed(python)
    # Nothing of our own settings, least of all the database's address, is any of the engine's business.
    env = {k: v for k, v in os.environ.items() if not k.startswith("ASTRA_")}
    env |= {
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # Threads that wait must sleep: spinning, they would take the cores from the env-server they wait for.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if token := settings.calling_token():
        env["ASTRA_TRAINER_SERVICE_TOKEN"] = token
    if settings.otel_endpoint:
        env |= {
            "ASTRA_TRAINER_OTEL_ENDPOINT": settings.otel_endpoint,
            "ASTRA_TRAINER_OTEL_RATIO": str(settings.otel_ratio),
        }
    with (folder / LOG).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            python, "-m", ENGINE, str(folder), env=env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=_die_with_parent,
        )  # fmt: skip
    return EngineProcess(folder, process, settings.stop_grace_s)


def _die_with_parent() -> None:
    # If the service is killed the engine goes too: two engines on one folder would spoil its checkpoints.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _check_installed(python: str) -> None:
    try:
        process = await asyncio.create_subprocess_exec(python, "-c", _PROBE)
        missing = bool(await process.wait())
    except OSError as error:
        raise Conflict(f"engine_python {python!r} cannot be started: {error}") from error
    if missing:
        raise Conflict(
            f"no training engine in {python}: install `astra-trainer[train]` there (`make setup` does), or build the "
            "image with `--build-arg ENGINE=train`"
        )


def _name(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
