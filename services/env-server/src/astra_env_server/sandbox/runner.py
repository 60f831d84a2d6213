"""One runner seen from the host: the process tree that serves one arena, from start to kill."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from typing import Any

from astra_proto.envs import ErrorClass

from astra_env_server.sandbox.base import Bundle, BundleRejected, SandboxLost
from astra_env_server.sandbox.launch import Launch
from astra_env_server.sandbox.wire import Wire, WireClosed, WireError

START_S = 20.0
"""Until a new runner says that it is locked and ready."""
_LINK_FRAME = 64 * 1024
_STDERR_BYTES = 8192


class Runner:
    """A process tree: warden, zygote, sessions. Made by ``start``; ``claim`` it once, then ``fork`` sessions."""

    def __init__(self, launch: Launch, process: asyncio.subprocess.Process, control: socket.socket, link: Wire) -> None:
        self.sessions: set[int] = set()
        self.opened = 0
        """Sessions forked in its life."""
        self.breached = False
        """A session broke the protocol, or outlived its own end: take no new one."""
        self._launch = launch
        self._process = process
        self._control = control
        self._link = link
        self._link_turn = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._complaint = asyncio.ensure_future(_first_bytes(process.stderr))
        self._watch = asyncio.ensure_future(self._hang_up())

    @classmethod
    async def start(cls, launch: Launch) -> "Runner":
        """A runner that is locked and waits for code; raises SandboxLost with what it complained of."""
        control, theirs = socket.socketpair()
        link, zygote = socket.socketpair()
        control.setblocking(False)
        try:
            arguments, environment = launch.command(theirs.fileno(), zygote.fileno())
            process = await asyncio.create_subprocess_exec(
                *arguments,
                env=environment,
                pass_fds=(theirs.fileno(), zygote.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                cwd="/",
            )
        except BaseException:
            control.close()
            link.close()
            raise
        finally:
            theirs.close()
            zygote.close()
        runner = cls(launch, process, control, Wire(link, _LINK_FRAME))
        try:
            async with asyncio.timeout(START_S):
                ready = await runner._link.expect()
            if not json.loads(ready).get("ready"):
                raise SandboxLost("the runner is not ready")
        except (TimeoutError, WireError, WireClosed, ValueError) as error:
            await runner.close()
            raise SandboxLost(f"a runner did not start: {await runner._complaint or error!r}") from None
        except BaseException:
            await runner.close()
            raise
        return runner

    @property
    def alive(self) -> bool:
        """Whether it can fork another session."""
        running = self._process.returncode is None and self._link.error is None and self._closing is None
        return running and not _has_exited(self._process.pid)

    @property
    def pid(self) -> int:
        """The first process of the tree."""
        return self._process.pid

    async def claim(self, bundle: Bundle) -> None:
        """Have it import the code, for good. Raises BundleRejected; SandboxLost when it was killed meanwhile."""
        try:
            tools = [[tool.name, tool.code] for tool in bundle.tools]
            claim = b"C" + json.dumps({"tools": tools}, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise BundleRejected(None, "the code is not valid Unicode") from None
        limits = self._launch.limits
        if len(claim) > limits.bundle_bytes:
            raise BundleRejected(None, f"the code of the arena has more than {limits.bundle_bytes} bytes")
        try:
            async with asyncio.timeout(limits.import_s):
                answer = await self._link.exchange(claim)
        except TimeoutError:
            detail = f"the import took more than {limits.import_s:g} s"
            raise BundleRejected(None, detail, ErrorClass.TIMEOUT) from None
        except WireError as error:
            raise BundleRejected(None, f"the code broke the wire on import: {error}") from None
        except WireClosed:
            if await self._was_killed():
                raise SandboxLost("the runner was killed while it imported the code") from None
            raise BundleRejected(None, "the code ended its process on import") from None
        verdict = _verdict(answer)
        if not verdict.get("ok"):
            tool, reason = verdict.get("tool"), str(verdict.get("detail"))[:4096].replace("\0", "\ufffd")
            raise BundleRejected(tool if isinstance(tool, str) else None, reason)

    async def fork(self, seed: int, max_frame: int) -> tuple[int, Wire, int]:
        """A new locked session: its number, its wire, and a descriptor of its process. Raises SandboxLost."""
        if not self.alive:
            raise SandboxLost("the runner is gone")
        self.opened += 1
        number = self.opened
        self.sessions.add(number)
        ours, theirs = socket.socketpair()
        wire = Wire(ours, max_frame, credentials=True)
        try:
            hello = wire.expect()
            async with asyncio.timeout(self._launch.limits.open_s):
                self._control.send(b"F")  # the warden must know before the zygote forks
                async with self._link_turn:
                    await self._link.send(struct.pack(">cQQ", b"S", number, seed), (theirs.fileno(),))
                theirs.close()
                if await hello != struct.pack(">Qc", 0, b"R") or wire.peer_pid is None:
                    raise SandboxLost("a session did not say hello")
                return number, wire, os.pidfd_open(wire.peer_pid)
        except (TimeoutError, WireError, WireClosed, OSError) as error:
            wire.close()
            self.release(number)
            # A zygote that cannot fork or a session that cannot lock itself: the next one will fare no better.
            self.breached = True
            raise SandboxLost(f"no session could be opened: {error!r}") from None
        except BaseException:
            wire.close()
            self.release(number)
            raise
        finally:
            theirs.close()

    async def fate(self, number: int) -> int | None:
        """The signal that ended a session, 0 when it ended by itself; None when it still runs. Raises SandboxLost."""
        try:
            async with asyncio.timeout(self._launch.limits.open_s), self._link_turn:
                verdict = _verdict(await self._link.exchange(struct.pack(">cQ", b"F", number)))
        except (TimeoutError, WireError, WireClosed) as error:
            self.breached = True
            raise SandboxLost(f"the runner is gone: {error!r}") from None
        ended_by = verdict.get("signal")
        if isinstance(ended_by, int):
            return ended_by
        return 0 if isinstance(verdict.get("exit"), int) else None

    def release(self, number: int) -> None:
        """Forget a session that has ended."""
        self.sessions.discard(number)

    async def close(self) -> None:
        """End every process of the tree. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _was_killed(self) -> bool:
        """Whether the tree ended by a signal to its first process, which the code inside cannot reach.

        When it is the code that ends its process, the warden sees that and leaves in order.
        """
        self._control.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                status = await self._process.wait()
                return status < 0 or status == 128 + signal.SIGKILL
        return False

    async def _hang_up(self) -> None:
        """When the first process ends, whoever ended it, let the warden end what may be left."""
        await self._process.wait()
        self._link.close()
        self._control.close()

    async def _close(self) -> None:
        self._link.close()
        self._control.close()  # the warden ends the rest, then itself
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        await asyncio.gather(self._complaint, self._watch)


def _verdict(answer: bytes) -> dict[str, Any]:
    """What the zygote says; an empty answer when it makes no sense, for arena code may be speaking."""
    try:
        verdict = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return verdict if isinstance(verdict, dict) else {}


async def _first_bytes(stream: asyncio.StreamReader | None) -> str:
    """The start of what a process writes, read to the end so that it never waits for us."""
    kept = b""
    while stream is not None and (part := await stream.read(_STDERR_BYTES)):
        kept = (kept + part)[:_STDERR_BYTES]
    return kept.decode("utf-8", "replace").strip()


def _has_exited(pid: int) -> bool:
    """Whether the process is dead, though the event loop may not have heard of it yet."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
