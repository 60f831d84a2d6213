"""A server that is killed leaves no process behind, whatever its tools were doing."""

import os
import signal
import subprocess
import sys

import pytest
from astra_env_server.sandbox.base import Sandbox
from astra_env_server.sandbox.opening import Options, open_sandbox
from astra_env_server.sandbox.pool import PoolSize

from .support import below, containers_of, eventually, running, shared_folders

pytestmark = pytest.mark.anyio

SERVER = """
import asyncio, sys
from astra_env_server.sandbox.base import Bundle, ToolCode
from astra_env_server.sandbox.opening import open_sandbox

SPIN = "def spin():\\n while True:\\n  try:\\n   while True: pass\\n  except BaseException: pass"

async def main():
    sandbox = await open_sandbox(sys.argv[1])
    code = Bundle((ToolCode("spin", SPIN),))
    idle, busy = await sandbox.open(code, 0), await sandbox.open(code, 0)
    call = asyncio.create_task(busy.call("spin", {}, 600.0))
    await asyncio.sleep(0.2)
    print("serving", flush=True)
    await call

asyncio.run(main())
"""


def start_server(tier: str) -> subprocess.Popen[bytes]:
    """A process that opens a sandbox, has a tool spin in it, and says so on its output."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVER, tier],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=_hears_sigint,
    )


def _hears_sigint() -> None:
    # Where the tests run in the background of a shell, SIGINT is ignored, and children would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_outlives_its_server(sandbox: Sandbox, how: signal.Signals) -> None:
    folders = shared_folders()
    with start_server(sandbox.tier) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"serving\n"
        processes = below(server.pid)
        assert len(processes) >= 4
        os.kill(server.pid, how)
        server.wait()
    assert await eventually(lambda: not any(map(running, processes)))
    assert await eventually(lambda: not containers_of(server.pid))
    await (await open_sandbox(sandbox.tier, Options(size=PoolSize(max_runners=1, warm=0)))).close()  # type: ignore[arg-type]
    assert shared_folders() == folders
