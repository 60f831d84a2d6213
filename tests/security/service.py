"""Line 40 of the list: a hostile client, and processes that die in the middle of a step. A whole server over HTTP."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import psutil

from scripts.with_services import die_with_parent
from tests.security.probe import Verdict

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "services" / "env-server" / "examples" / "library.json"
START_S = 60.0
SLOW = "import time\ndef nap(seconds):\n    time.sleep(seconds)\n    return 'rested'\n"

Json = dict[str, Any]


class Server:
    """An env server of one tier in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, http: httpx2.AsyncClient) -> None:
        self.process, self.port, self.http = process, port, http
        self.arena = ""

    async def post(self, path: str, body: Json, status: int = 200) -> Json:
        """The reply to a request that must be answered so."""
        reply = await self.http.post(path, json=body)
        if reply.status_code != status:
            raise AssertionError(f"{path}: {reply.status_code} {reply.text[:300]}")
        found: Json = reply.json()
        return found

    async def env(self) -> str:
        """A new env of the library arena, reset."""
        env = (await self.post("/envs", {"arena_id": self.arena, "ttl_s": 600}, 201))["id"]
        await self.post(f"/envs/{env}/reset", {"seed": 7})
        return str(env)

    async def step(self, env: str, step_id: str, title: str = "M-2041") -> Json:
        """One step with a call that solves a sub-task."""
        call = {"name": "find_overdue_loan", "arguments": {"member_id": title}}
        return await self.post(f"/envs/{env}/step", {"action": {"tool_calls": [call]}, "step_id": step_id})

    async def healthy(self) -> bool:
        """Whether it is ready and plays."""
        ready = await self.http.get("/readyz")
        env = await self.env()
        reply = await self.step(env, "health")
        await self.http.delete(f"/envs/{env}")
        return ready.status_code == 200 and reply["reward"] > 0


@contextlib.asynccontextmanager
async def serving(tier: str) -> AsyncIterator[Server]:
    """A server of this tier, with the library arena published."""
    with tempfile.TemporaryDirectory(prefix="astra-attack-") as folder:
        prefix = "ASTRA_ENV_SERVER_"
        given = {
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/env.db", "LOG_FORMAT": "json", "ISOLATION": tier,
            "MAX_RUNNERS": "6", "MAX_ENVS": "300", "STEP_TIMEOUT_S": "3",
        }  # fmt: skip
        log = Path(folder) / "log"
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", "astra_env_server", "serve", "--port", "0"],
                env={**os.environ, **{prefix + name: value for name, value in given.items()}},
                stdout=errors, stderr=errors, cwd=folder, preexec_fn=die_with_parent,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_S):
                while not (found := re.search(r'"port": (\d+)', log.read_text())):
                    if process.poll() is not None:
                        raise AssertionError(log.read_text()[-2000:])
                    await asyncio.sleep(0.05)
            port = int(found[1])
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
                server = Server(process, port, http)
                async with asyncio.timeout(START_S):
                    while True:
                        with contextlib.suppress(httpx2.TransportError):
                            if (await http.get("/readyz")).status_code == 200:
                                break
                        await asyncio.sleep(0.1)
                server.arena = (await server.post("/arenas", json.loads(LIBRARY.read_text()), 201))["id"]
                yield server
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


async def slow_loris(server: Server) -> Verdict:
    """Two hundred connections that say half a request and wait."""
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    for _, writer in held:
        writer.write(b"POST /envs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
    served = await server.healthy()
    for _, writer in held:
        writer.close()
    return Verdict(served, "served beside 200 half requests" if served else "not served")


async def disconnect(server: Server) -> Verdict:
    """The client goes in the middle of a step and comes back with the same step_id: it ran once."""
    env = await server.env()
    body = json.dumps(
        {
            "action": {"tool_calls": [{"name": "find_overdue_loan", "arguments": {"member_id": "M-2041"}}]},
            "step_id": "d",
        }
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = (
        f"POST /envs/{env}/step HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    writer.write("\r\n".join(head).encode() + body)
    await writer.drain()
    writer.transport.abort()
    del reader
    again = await server.step(env, "d")
    steps = (await server.http.get(f"/envs/{env}")).json()["steps"]
    return Verdict(steps == 1 and again["info"]["calls"] == 1, f"{steps} steps, reward {again['reward']:.3f}")


async def double_step(server: Server) -> Verdict:
    """Twenty times the same step at once: one runs, all get its reply."""
    env = await server.env()
    replies = await asyncio.gather(*(server.step(env, "same") for _ in range(20)))
    steps = (await server.http.get(f"/envs/{env}")).json()["steps"]
    same = all(reply == replies[0] for reply in replies)
    return Verdict(steps == 1 and same, f"{steps} steps, replies alike: {same}")


async def step_after_delete(server: Server) -> Verdict:
    """An env that is gone takes no step."""
    env = await server.env()
    await server.http.delete(f"/envs/{env}")
    reply = await server.http.post(f"/envs/{env}/step", json={"action": {"content": "x"}})
    return Verdict(reply.status_code == 404, f"{reply.status_code} {reply.text[:100]}")


async def idle_envs(server: Server) -> Verdict:
    """Envs until there is no room: the next is told to wait, and those that are there play on."""
    env = await server.env()
    made, reply = [], None
    for _ in range(400):
        reply = await server.http.post("/envs", json={"arena_id": server.arena, "ttl_s": 600})
        if reply.status_code != 201:
            break
        made.append(reply.json()["id"])
    full = reply is not None and reply.status_code == 429 and "retry-after" in reply.headers
    plays = (await server.step(env, "while full"))["reward"] > 0
    for other in made:
        await server.http.delete(f"/envs/{other}")
    return Verdict(
        full and plays, f"{len(made)} idle envs, then {reply and reply.status_code}; the first plays: {plays}"
    )


async def endless_code(server: Server) -> Verdict:
    """Code without an arena that never ends, twenty times at once: each is a typed failure, and others are served."""
    body = {"code": "def f():\n    while True: pass\n", "calls": [{"name": "f", "arguments": {}}], "timeout_s": 1.0}
    asked = [asyncio.create_task(server.http.post("/sandbox/run", json=body)) for _ in range(20)]
    served = await server.healthy()
    replies = await asyncio.gather(*asked)
    kinds = {(r.status_code, r.json().get("error_class") or r.json().get("error") or r.text[:200]) for r in replies}
    told = all(r.status_code in (200, 429) and ("timeout" in r.text or r.status_code == 429) for r in replies)
    return Verdict(served and told, f"{sorted(map(str, kinds))}; others served: {served}"[:300])


async def giant_request(server: Server) -> Verdict:
    """A body of 64 MiB, and one nested a hundred thousand deep: refused, not read."""
    big = await server.http.post("/envs", content=b"x" * (64 << 20))
    deep = await server.http.post("/envs", content=b"[" * 100_000)
    return Verdict(
        400 <= big.status_code < 500 and 400 <= deep.status_code < 500, f"{big.status_code}, {deep.status_code}"
    )


async def killed(server: Server, which: str) -> Verdict:
    """A process of the env's runner is killed between two steps: the episode goes on as if nothing had happened."""
    env = await server.env()
    first = await server.step(env, "1")
    victims = runner_processes(server.process.pid)
    if not victims:
        return Verdict(False, "found no runner to kill")
    for process in victims if which == "all" else [v for v in victims if role(v, victims) == which]:
        with contextlib.suppress(psutil.Error):
            process.kill()
    second = await server.step(env, "2", "nobody")
    return Verdict(
        first["reward"] > 0 and second["info"]["reward_valid"] and second["info"]["solved"] == [1],
        f"killed {which} of {len(victims)}; solved {second['info']['solved']}, valid {second['info']['reward_valid']}",
    )


async def killed_in_step(server: Server) -> Verdict:
    """Every process of the runners is killed while a call is under way: a typed reply, and the next is served."""
    body = {"code": SLOW, "calls": [{"name": "nap", "arguments": {"seconds": 2}}], "timeout_s": 3.0}
    asked = asyncio.create_task(server.http.post("/sandbox/run", json=body))
    await asyncio.sleep(0.7)
    for process in runner_processes(server.process.pid):
        with contextlib.suppress(psutil.Error):
            process.kill()
    reply = await asked
    told = reply.status_code in (200, 503) and (reply.status_code == 200 or "error" in reply.json())
    return Verdict(told and await server.healthy(), f"{reply.status_code} {reply.text[:150]}")


def runner_processes(server: int) -> list[psutil.Process]:
    """The processes that run `inside` for this server, as its children or in containers."""
    children = {p.pid for p in psutil.Process(server).children(recursive=True)}
    own = f"/{server}-"
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            line = process.cmdline()
            if "inside" in line and (process.pid in children or _mounts(process.pid, own)):
                found.append(process)
    return found


def _mounts(pid: int, folder: str) -> bool:
    """Whether a process sees a server's folder, by the name of that folder."""
    return any("/astra " in line and folder in line for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines())


def role(process: psutil.Process, among: list[psutil.Process]) -> str:
    """Whether it is a warden, a zygote or a session: the first, second or third of its line."""
    depth, parents = 0, {p.pid for p in among}
    while (parent := process.parent()) is not None and parent.pid in parents:
        depth, process = depth + 1, parent
    return ("warden", "zygote", "session")[min(depth, 2)]


SERVICE = {
    "slow_loris": slow_loris,
    "disconnect_mid_step": disconnect,
    "double_step": double_step,
    "step_after_delete": step_after_delete,
    "idle_envs": idle_envs,
    "endless_code_at_once": endless_code,
    "giant_request": giant_request,
    "kill_session": lambda server: killed(server, "session"),
    "kill_zygote_from_outside": lambda server: killed(server, "zygote"),
    "kill_warden_from_outside": lambda server: killed(server, "warden"),
    "kill_runners": lambda server: killed(server, "all"),
    "kill_runners_mid_call": killed_in_step,
}
"""Name → attack on a whole server."""
