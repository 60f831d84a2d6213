"""One runner seen from the host: the process tree that serves one arena, from start to kill."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from typing import Any, Protocol

from astra_proto.envs import ErrorClass

from astra_env_server.sandbox.base import Bundle, BundleRejected, Limits, SandboxLost
from astra_env_server.sandbox.grip import Descriptor, Grip, ThroughWarden
from astra_env_server.sandbox.wire import Wire, WireClosed, WireError

START_S = 20.0
"""Until a new runner says that it is locked and ready."""
_LINK_FRAME = 64 * 1024
_STDERR_BYTES = 8192


class Tree(Protocol):
    """The processes of a runner, as whoever started them knows them."""

    pid: int
    """The first process, in our numbering."""
    signals: bool
    """Whether we may end a session by a signal of our own; else the warden does it for us."""

    def exited(self) -> bool:
        """Whether it is known to be over, though the event loop may not have heard of it yet."""

    async def wait(self) -> None:
        """Wait until the first process is over."""

    async def end(self) -> str:
        """Wait until nothing is left, with force when it takes long; gives what it complained of."""


class Runner:
    """A process tree: warden, zygote, sessions. Made by ``begin``; ``claim`` it once, then ``fork`` sessions."""

    def __init__(self, limits: Limits, tree: Tree, control: socket.socket, link: Wire) -> None:
        self.sessions: set[int] = set()
        self.opened = 0
        """Sessions forked in its life."""
        self.breached = False
        """A session broke the protocol, or outlived its own end: take no new one."""
        self.control = control
        self._limits = limits
        self._tree = tree
        self._link = link
        self._link_turn = asyncio.Lock()
        self._closing: asyncio.Task[str] | None = None
        self._watch = asyncio.ensure_future(self._hang_up())

    @classmethod
    async def begin(cls, limits: Limits, tree: Tree, control: socket.socket, link: socket.socket) -> "Runner":
        """The runner at the other end of these sockets, once it is locked; raises SandboxLost with its complaint."""
        control.setblocking(False)
        runner = cls(limits, tree, control, Wire(link, _LINK_FRAME))
        try:
            async with asyncio.timeout(START_S):
                ready = await runner._link.expect()
            if not json.loads(ready).get("ready"):
                raise SandboxLost("the runner is not ready")
        except (TimeoutError, WireError, WireClosed, ValueError) as error:
            raise SandboxLost(f"a runner did not start: {await runner.close() or repr(error)}") from None
        except BaseException:
            await runner.close()
            raise
        return runner

    @property
    def alive(self) -> bool:
        """Whether it can fork another session."""
        return self._link.error is None and self._closing is None and not self._tree.exited()

    @property
    def pid(self) -> int:
        """The first process of the tree."""
        return self._tree.pid

    async def claim(self, bundle: Bundle) -> None:
        """Have it import the code, for good. Raises BundleRejected; SandboxLost when it was killed meanwhile."""
        try:
            tools = [[tool.name, tool.code] for tool in bundle.tools]
            claim = b"C" + json.dumps({"tools": tools}, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise BundleRejected(None, "the code is not valid Unicode") from None
        limits = self._limits
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

    async def fork(self, seed: int, max_frame: int) -> tuple[int, Wire, Grip]:
        """A new locked session: its number, its wire, and the grip on its process. Raises SandboxLost."""
        if not self.alive:
            raise SandboxLost("the runner is gone")
        self.opened += 1
        number = self.opened
        self.sessions.add(number)
        ours, theirs = socket.socketpair()
        wire = Wire(ours, max_frame, credentials=True)
        try:
            hello = wire.expect()
            async with asyncio.timeout(self._limits.open_s):
                self.control.send(b"F")  # the warden must know before the zygote forks
                async with self._link_turn:
                    await self._link.send(struct.pack(">cQQ", b"S", number, seed), (theirs.fileno(),))
                theirs.close()
                greeting = await hello
                if len(greeting) != 13 or greeting[:9] != struct.pack(">Qc", 0, b"R") or wire.peer_pid is None:
                    raise SandboxLost("a session did not say hello")
                if self._tree.signals:
                    return number, wire, Descriptor(os.pidfd_open(wire.peer_pid))
                return number, wire, ThroughWarden(self.control, int.from_bytes(greeting[9:], "big"))
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
            async with asyncio.timeout(self._limits.open_s), self._link_turn:
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

    async def close(self) -> str:
        """End every process of the tree; gives what it complained of. Safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        return await asyncio.shield(self._closing)

    async def _was_killed(self) -> bool:
        """Whether the tree ended by a kill from outside, which the code inside cannot bring about.

        When it is the code that ends its process, the warden sees that and says so before it leaves.
        """
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(5):
                report = await asyncio.get_running_loop().sock_recv(self.control, 64)
                return report[:1] != b"E" or report[1:2] == bytes([signal.SIGKILL])
        return False

    async def _hang_up(self) -> None:
        """When the first process ends, whoever ended it, let the warden end what may be left."""
        await self._tree.wait()
        self._link.close()
        with contextlib.suppress(OSError):  # what it said before can still be read
            self.control.shutdown(socket.SHUT_WR)

    async def _close(self) -> str:
        self._link.close()
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)  # the warden ends the rest, then itself
        try:
            complaint = await self._tree.end()
            return complaint or await self._last_words()
        finally:
            self.control.close()
            await self._watch

    async def _last_words(self) -> str:
        """What a runner without a stream for it said on the control socket."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):
                said = await asyncio.get_running_loop().sock_recv(self.control, _STDERR_BYTES)
                return said.decode("utf-8", "replace").strip()
        return ""


def _verdict(answer: bytes) -> dict[str, Any]:
    """What the zygote says; an empty answer when it makes no sense, for arena code may be speaking."""
    try:
        verdict = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return verdict if isinstance(verdict, dict) else {}
