"""However the registry ends, no server process and no folder outlives it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@contextmanager
def registry_process(folder: Path, workdirs: Path) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """The registry as a person starts it, on a free port."""
    settings = {
        "ALLOWED_COMMANDS": '["python3"]',
        "WORKDIR_ROOT": str(workdirs),
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/registry.db",
    }
    env = os.environ | {f"ASTRA_TOOL_REGISTRY_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "astra_tool_registry", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        said = ""
        for line in process.stderr:
            said += line
            if match := re.search(r"port=(\d+)", line):
                break
        else:
            pytest.fail(f"the registry did not start: {said}")
        base = f"http://127.0.0.1:{match[1]}"
        with httpx2.Client(base_url=base, timeout=60, trust_env=False) as client:
            while True:
                try:
                    client.get("/healthz")
                    break
                except httpx2.ConnectError:
                    time.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to stop"])
def test_servers_end_with_the_registry(
    tmp_path: Path,
    workdirs: Path,
    rogue: Callable[..., dict[str, Any]],
    left_over: Callable[[], list[str]],
    number: signal.Signals,
) -> None:
    with registry_process(tmp_path, workdirs) as (process, client):
        for habit in ("plain", "stubborn"):
            assert client.post("/servers", json=rogue(habit)).status_code == 201
            assert client.post(f"/servers/{habit}/sessions", json={}).status_code == 201
        assert len([line for line in left_over() if "rogue.py" in line]) >= 5  # launchers, servers, detached children
        process.send_signal(number)
        process.wait()
        while left_over():
            time.sleep(0.05)


@pytest.mark.anyio
async def test_a_server_that_hides_its_children_is_cleared_away(
    serve: Serve, rogue: Callable[..., dict[str, Any]], left_over: Callable[[], list[str]]
) -> None:
    async with serve(stop_timeout_s=0.2) as client:
        assert (await client.post("/servers", json=rogue("stubborn"))).status_code == 201
        assert left_over() == []
        session = (await client.post("/servers/stubborn/sessions", json={})).json()["id"]
        assert len(left_over()) >= 4
        await client.delete(f"/sessions/{session}")
        assert left_over() == []


@pytest.mark.anyio
async def test_a_launcher_that_is_killed_takes_its_server_along(
    serve: Serve, rogue: Callable[..., dict[str, Any]], left_over: Callable[[], list[str]], tmp_path: Path
) -> None:
    async with serve() as client:
        await client.post("/servers", json=rogue("plain"))
        session = (await client.post("/servers/plain/sessions", json={})).json()["id"]
        for process in psutil.Process().children():
            if str(tmp_path) in " ".join(process.cmdline()):
                process.kill()
        while any("rogue.py" in line for line in left_over()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        reply = await client.post(f"/sessions/{session}/calls", json={"name": "echo"})
        assert reply.json()["error_class"] == "infra"
        while left_over():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
