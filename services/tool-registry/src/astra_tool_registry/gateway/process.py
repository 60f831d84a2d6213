"""A running MCP server process: bounded message streams to and from it, and what it said when it fails."""

import asyncio
import errno
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from astra_proto.errors import Invalid, UpstreamFailed
from mcp.shared.message import SessionMessage

from astra_tool_registry.gateway import launcher
from astra_tool_registry.gateway.workspace import Prepared
from astra_tool_registry.settings import Settings

_STDERR_KEPT = 4_000
_JUNK_SHOWN = 200
_KILL_WAIT_S = 5.0
Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]


@dataclass
class Wire:
    """The two message streams of a server, and what has been noticed about it."""

    read: Incoming
    write: Outgoing
    process: Process
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has closed its end: no answer will come any more."""
    fault: str = ""
    """Why the connection was ended from this side."""
    junk_lines: int = 0
    first_junk: str = ""
    stderr: deque[bytes] = field(default_factory=deque)

    def told(self) -> str:
        """What the server said and did, for an error message: bounded, and safe to store."""
        parts = [self.fault] if self.fault else []
        if self.junk_lines:
            parts.append(f"it printed {self.junk_lines} lines that are no JSON-RPC, the first: {self.first_junk!r}")
        if (code := self.process.returncode) is not None:
            parts.append("its set-up failed" if code == launcher.SETUP_FAILED else f"it ended with exit status {code}")
        text = b"".join(self.stderr)[-_STDERR_KEPT:].decode("utf-8", "replace").replace("\0", "").strip()
        if text:
            parts.append(f"on standard error it said: {text}")
        return "; ".join(parts) or "it said nothing"


@asynccontextmanager
async def running(prepared: Prepared, settings: Settings) -> AsyncIterator[Wire]:
    """Run the server for as long as the block lasts. Nothing of it is left afterwards, not even on cancellation."""
    spec = {
        "parent": os.getpid(),
        "workdir": str(prepared.workdir),
        "setup": prepared.setup,
        "command": prepared.command,
    }
    loop = asyncio.get_running_loop()
    program = [sys.executable, "-I", "-S", str(Path(launcher.__file__)), json.dumps(spec)]
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=65_536, loop=loop),
            *program,
            cwd=prepared.workdir,
            env=prepared.env,
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(prepared.workdir, ignore_errors=True)
        if error.errno == errno.E2BIG:
            raise Invalid("launch: args, env and setup are too long together for the operating system") from error
        raise UpstreamFailed(f"the server could not be started: {error}") from error
    process = Process(transport, protocol, loop)
    to_session, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    wire = Wire(read=read, write=write, process=process)
    tasks = [
        asyncio.create_task(_read_messages(wire, to_session, settings.max_message_bytes)),
        asyncio.create_task(_write_messages(wire, from_session, to_session)),
        asyncio.create_task(_read_stderr(wire)),
    ]
    try:
        yield wire
    finally:
        with anyio.CancelScope(shield=True):
            await _undisturbed(_stop(process, settings.stop_timeout_s))
            for task in tasks:
                task.cancel()
            await _undisturbed(asyncio.wait(tasks))
            transport.close()  # what is unread in its pipes would keep it open
            for stream in (to_session, read, write, from_session):
                stream.close()
            shutil.rmtree(prepared.workdir, ignore_errors=True)  # the launcher did, unless it was killed itself


async def _undisturbed(work: Coroutine[Any, Any, Any]) -> None:
    """Do it to the end, however often the calling task is cancelled meanwhile; the cancellation comes after."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


async def _read_messages(wire: Wire, out: MemoryObjectSendStream[SessionMessage | Exception], limit: int) -> None:
    assert wire.process.stdout
    pending = bytearray()
    try:
        while chunk := await wire.process.stdout.read(65_536):
            pending += chunk
            if b"\n" in chunk:
                *lines, rest = pending.split(b"\n")
                pending = bytearray(rest)
                for line in lines:
                    if (message := _parse(bytes(line), wire)) is not None:
                        await out.send(message)
            if len(pending) > limit:
                wire.fault = f"it sent a message longer than {limit} bytes"
                break
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass  # the session has gone first
    finally:
        with suppress(TimeoutError):  # a moment for the exit status, which tells more than the end of a stream
            async with asyncio.timeout(0.0 if wire.fault else 0.5):
                await wire.process.wait()
        wire.closed.set()
        out.close()


def _parse(line: bytes, wire: Wire) -> SessionMessage | None:
    if not line.strip():
        return None
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        wire.junk_lines += 1
        wire.first_junk = wire.first_junk or line[:_JUNK_SHOWN].decode("utf-8", "replace").replace("\0", "")
        return None


async def _write_messages(
    wire: Wire,
    source: MemoryObjectReceiveStream[SessionMessage],
    out: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    assert wire.process.stdin
    try:
        async for item in source:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            wire.process.stdin.write(text.encode() + b"\n")
            await wire.process.stdin.drain()
    except (anyio.ClosedResourceError, OSError):
        wire.closed.set()
        out.close()


async def _read_stderr(wire: Wire) -> None:
    assert wire.process.stderr
    size = 0
    while chunk := await wire.process.stderr.read(4_096):
        wire.stderr.append(chunk)
        size += len(chunk)
        while size - len(wire.stderr[0]) > _STDERR_KEPT:
            size -= len(wire.stderr.popleft())


async def _stop(process: Process, grace_s: float) -> None:
    """End of input, then SIGTERM to the launcher, which kills what it started, then SIGKILL to the whole group."""
    if process.stdin and not process.stdin.is_closing():
        process.stdin.close()
    for number, wait_s in ((None, grace_s), (signal.SIGTERM, _KILL_WAIT_S), (signal.SIGKILL, _KILL_WAIT_S)):
        with suppress(ProcessLookupError):
            if number == signal.SIGTERM:
                process.send_signal(number)
            elif number is not None:
                os.killpg(process.pid, number)
        if await _ended(process, wait_s):
            return


async def _ended(process: Process, wait_s: float) -> bool:
    # Not process.wait(): it also waits for the pipes, which a stray grandchild could hold open.
    deadline = asyncio.get_running_loop().time() + wait_s
    while process.returncode is None:
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.01)
    return True
