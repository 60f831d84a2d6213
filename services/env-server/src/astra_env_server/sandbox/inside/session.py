"""A session: locks itself, says hello, then answers calls until its socket closes.

A request is ``u64 id | JSON {"tool", "arguments"}``, a reply ``u64 id | u8 status | UTF-8 text``. Status R says hello
with the id 0 and the number of the session's process, O is a result, E what the tool raised. Results become text here:
the host never decodes what a tool made.

In a stateful arena a request may also bring ``"state"``, which the calls share from then on, and ``"takes"``, the tools
that take it as their first argument. A call that changed it is answered with status S: ``u32 length | text | state``.
"""

import contextlib
import json
import os
import random
import resource
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any, NoReturn

from . import locks
from .frames import Closed, read_frame, write_frame
from .state import Shared

MESSAGE_BYTES = 4096
"""What is kept of the message of an exception."""

Tools = dict[str, Callable[..., Any]]


def lock_down(abi: int, seccomp: locks.Seccomp, cpu_s: int) -> None:
    """The locks that a session adds to those it has from the zygote."""
    os.setsid()
    locks.prctl(locks.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    locks.limit({resource.RLIMIT_NOFILE: 32, resource.RLIMIT_NPROC: 0, resource.RLIMIT_CPU: cpu_s})
    locks.landlock_apart(abi)
    seccomp.apply()


def serve(connection: int, tools: Tools, seed: int, limits: dict[str, int], lock: Callable[[], None]) -> NoReturn:
    """Be the session on this connection; never returns. ``lock`` raises when a lock cannot be had: then no hello."""
    try:
        if connection != 3:
            os.dup2(connection, 3)
        lock()
        random.seed(seed)
        write_frame(3, struct.pack(">QcI", 0, b"R", os.getpid()))
        answer_calls(3, tools, limits)
    except Closed:
        os._exit(0)
    finally:
        os._exit(70)


def rehearse(calls: int = 64) -> None:
    """Answer calls of nobody, before there is any code of an arena.

    Python changes its own code and what belongs to it when that has run a few times: a session that is forked later
    has that behind it, and shares the memory in which it was done.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # one call for each time that it reads
    with ours, theirs:
        body = struct.pack(">Q", 0) + b'{"tool":"echo","arguments":{"text":"a"}}'
        for _ in range(calls):
            ours.send(struct.pack(">I", len(body)) + body)
        ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(Closed):
            answer_calls(theirs.fileno(), {"echo": lambda text: {"text": text}}, {"output_bytes": 1024, "depth": 8})


def answer_calls(connection: int, tools: Tools, limits: dict[str, int]) -> NoReturn:
    """Answer each request in turn."""
    # Held here, so that a tool which replaces json.dumps changes nothing about the reply.
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    # Not json.loads, which takes longer to find out how bytes are encoded than to read them.
    decode, pack, unpack = json.JSONDecoder().raw_decode, struct.pack, struct.unpack
    output_bytes, depth = limits["output_bytes"], limits["depth"]
    shared: Shared | None = None
    while True:
        frame = read_frame(connection)
        request = unpack(">Q", frame[:8])[0]
        status, body = b"E", b"SandboxError: the failure has no text"
        try:
            call = decode(frame[8:].decode("utf-8"), 0)[0]
            name, left = call["tool"], None
            if "state" in call:
                shared = Shared(call["state"], call["takes"], limits["state_bytes"], limits["state_depth"])
            if shared is not None and shared.taken_by(name):
                state = shared.copy()
                body = to_text(tools[name](state, **call["arguments"]), encode, depth)
                left = shared.left(state)
            else:
                body = to_text(tools[name](**call["arguments"]), encode, depth)
            status = b"O"
            if len(body) > output_bytes:
                status = b"E"
                body = b"OutputTooLarge: the result has %d bytes, the limit is %d" % (len(body), output_bytes)
            elif left is not None and shared is not None:
                shared.keep(left)
                status, body = b"S", pack(">I", len(body)) + body + left.encode("utf-8")
        except BaseException as error:  # the tool's, whatever it is: it must not end the session
            status, body = b"E", describe(error)
        write_frame(connection, pack(">Qc", request, status) + body)


def to_text(value: Any, encode: Callable[[Any], str], depth: int) -> bytes:
    """A string as it is, anything else as JSON in the order it holds; raises what does not fit."""
    if type(value) is not str:
        check_depth(value, depth)
        value = encode(value)
    raw: bytes = value.encode("utf-8")
    return raw


def check_depth(value: Any, depth: int) -> None:
    """Raise ValueError for a value nested deeper than ``depth`` (a value that holds itself is)."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list, tuple))
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list, tuple))
        ]
        if not level:
            return
    raise ValueError(f"the result is nested deeper than {depth}")


def describe(error: BaseException) -> bytes:
    """``Class: message`` of an exception, whatever its own methods do."""
    name = "Exception"
    try:
        name = str(type(error).__name__)[:128]
        text = f"{name}: {error!s}"
    except BaseException:
        text = f"{name}: (its message cannot be had)"
    try:
        return text.encode("utf-8", "replace")[:MESSAGE_BYTES].decode("utf-8", "ignore").encode()
    except BaseException:
        return b"Exception: (its message cannot be had)"
