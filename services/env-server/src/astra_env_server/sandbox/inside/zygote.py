"""The zygote: locked before it sees any code, imports one arena's tools, then forks a session for each connection.

Frames from the host are ``u8 kind | body``: C claims (JSON ``{"tools": [[name, code], ...]}``), S opens a session
(``u64 id | u64 seed``, and a socket), F asks how a session ended (``u64 id``). Replies are JSON.
"""

import gc
import importlib
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

from . import locks
from .frames import Closed, read_exactly, write_frame
from .session import Tools, describe, lock_down, rehearse, serve

# fmt: off
PRELOADED = (
    "base64", "bisect", "calendar", "collections", "copy", "csv", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator", "random", "re",
    "statistics", "string", "textwrap", "time", "typing", "unicodedata", "uuid", "zoneinfo",
)
# fmt: on
"""Modules that tools use most: loaded before the code comes, so that a claim does not wait for them."""


def preload() -> None:
    """Import what tools are likely to want, and have the collector pass it over from then on."""
    for name in PRELOADED:
        importlib.import_module(name)
    rehearse()
    gc.collect()
    gc.freeze()


class BadTool(Exception):
    """A tool does not import: its name and what went wrong."""


def load_tool(name: str, code: str) -> Callable[..., Any]:
    """The function ``name`` of a module made from ``code``; raises BadTool."""
    module = types.ModuleType(f"arena_tools.{name}")
    # Registered, because dataclasses and typing look a class's module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(code, f"<{name}>", "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        raise BadTool(name, describe(error).decode()) from None
    function = module.__dict__.get(name)
    if not callable(function):
        raise BadTool(name, f"the code defines no function {name!r}")
    return function  # type: ignore[no-any-return]


KEPT_FATES = 512
"""Ends of sessions that are remembered until the host asks."""
REAP_MS = 1000
"""How long a session that has ended may stay a zombie."""


class Children:
    """The sessions that were forked, and how those that ended did."""

    def __init__(self) -> None:
        self._pids: dict[int, int] = {}
        self._living: set[int] = set()
        self._ended: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._living)

    def add(self, session: int, pid: int) -> None:
        """Remember the process of a session."""
        self._ended.pop(pid, None)
        self._pids[session] = pid
        self._living.add(pid)

    def reap(self) -> None:
        """Collect what has ended."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended[ended[0]] = ended[1]
                self._living.discard(ended[0])
        except ChildProcessError:
            pass
        while len(self._ended) > KEPT_FATES:
            self._ended.pop(next(iter(self._ended)))
        if len(self._pids) > len(self._living) + KEPT_FATES:
            self._pids = {s: p for s, p in self._pids.items() if p in self._living or p in self._ended}

    def fate(self, session: int, wait_s: float = 0.5) -> dict[str, int | None]:
        """The signal or exit status that ended a session; nulls when it lives, or nobody knows."""
        pid = self._pids.pop(session, -1)
        until = time.monotonic() + wait_s
        while pid > 0 and pid not in self._ended and time.monotonic() < until:
            time.sleep(0.002)
            self.reap()
        status = self._ended.pop(pid, None)
        if status is None:
            return {"signal": None, "exit": None}
        code = os.waitstatus_to_exitcode(status)
        return {"signal": -code, "exit": None} if code < 0 else {"signal": None, "exit": code}


def receive(link: socket.socket) -> tuple[bytes, list[int]]:
    """The next frame, with the descriptors that came along."""
    head, descriptors, _, _ = socket.recv_fds(link, 4, 1)
    if not head:
        raise Closed
    head += read_exactly(link.fileno(), 4 - len(head)) if len(head) < 4 else b""
    return read_exactly(link.fileno(), struct.unpack(">I", head)[0]), descriptors


def run(link: socket.socket, abi: int, limits: dict[str, int]) -> NoReturn:
    """Be the zygote on this link; never returns. The locks of the zygote are in force already."""
    session_filter = locks.Seccomp(locks.session_program(platform.machine()))
    try:
        write_frame(link.fileno(), json.dumps({"ready": True, "landlock": abi}).encode())
        claim, _ = receive(link)
        tools: Tools = {}
        try:
            for name, code in json.loads(claim[1:])["tools"]:
                tools[name] = load_tool(name, code)
        except BadTool as bad:
            write_frame(link.fileno(), json.dumps({"ok": False, "tool": bad.args[0], "detail": bad.args[1]}).encode())
            os._exit(0)
        children = Children()
        gc.collect()
        gc.freeze()
        write_frame(link.fileno(), b'{"ok": true}')
        readable = select.poll()
        readable.register(link, select.POLLIN)
        while True:
            # No handler for SIGCHLD: a signal that arrives in a fork makes the kernel ask the warden a second time.
            while not readable.poll(REAP_MS if children else None):
                children.reap()
            children.reap()
            frame, descriptors = receive(link)
            if frame[:1] == b"F":
                write_frame(link.fileno(), json.dumps(children.fate(*struct.unpack(">Q", frame[1:]))).encode())
            elif frame[:1] == b"S":
                session, seed = struct.unpack(">QQ", frame[1:])
                _open(link, children, session, descriptors[0], seed, tools, abi, session_filter, limits)
    except Closed:
        os._exit(0)
    finally:
        os._exit(70)


def _open(
    link: socket.socket,
    children: Children,
    session: int,
    connection: int,
    seed: int,
    tools: Tools,
    abi: int,
    session_filter: locks.Seccomp,
    limits: dict[str, int],
) -> None:
    try:
        pid = os.fork()
    except OSError:
        os.close(connection)  # the host sees the end of the stream before any hello
        return
    if pid == 0:
        serve(connection, tools, seed, limits, lambda: lock_down(abi, session_filter, limits["cpu_s"]))
    os.close(connection)
    children.add(session, pid)


def lock_down_zygote(abi: int, readable: list[str], listable: list[str], limits: dict[str, int]) -> int:
    """Every lock that the import of hostile code needs; gives the descriptor on which the warden decides forks."""
    locks.prctl(locks.PR_SET_PDEATHSIG, signal.SIGKILL)
    locks.prctl(locks.PR_SET_DUMPABLE, 0)
    locks.limit(
        {
            resource.RLIMIT_AS: limits["memory_bytes"],
            resource.RLIMIT_NOFILE: 64,
            resource.RLIMIT_FSIZE: 0,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_STACK: 8 << 20,
        }
    )
    seccomp = locks.Seccomp(locks.zygote_program(platform.machine()))
    locks.prctl(locks.PR_SET_NO_NEW_PRIVS, 1)
    locks.landlock(abi, readable, listable, ("/dev/null", "/dev/urandom"))
    return seccomp.apply(listener=True)
