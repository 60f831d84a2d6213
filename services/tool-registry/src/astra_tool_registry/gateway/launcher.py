"""Stands between the registry and one MCP server, so that nothing the server starts outlives the registry.

A program of the standard library alone, run in a process of its own with one argument, a JSON object of ``parent``
(process id), ``workdir``, ``setup`` (command lines) and ``command`` (a command line). The server inherits standard
input and output; set-up commands write to standard error. When the server ends, the registry dies (even by SIGKILL) or
asks for it by SIGTERM, every descendant is killed and the work folder removed. Exit status: the server's own, or 97 if
the set-up failed.

Linux only: a child subreaper sees even those descendants that tried to detach.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

SETUP_FAILED = 97
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(spec: dict[str, object]) -> NoReturn:
    """Set up, run the server, and leave nothing behind."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    workdir = str(spec["workdir"])
    if os.getppid() != spec["parent"]:  # it died before the signal was armed
        _finish(workdir, 1)
    for command in spec["setup"]:  # type: ignore[attr-defined]
        if code := _run(libc, workdir, command, is_server=False):
            sys.stderr.write(f"set-up command {command!r} failed with exit status {code}\n")
            sys.stderr.flush()
            _finish(workdir, SETUP_FAILED)
    _finish(workdir, _run(libc, workdir, spec["command"], is_server=True))  # type: ignore[arg-type]


def _run(libc: ctypes.CDLL, workdir: str, command: Sequence[str], *, is_server: bool) -> int:
    child = os.fork()
    if child == 0:
        _become(libc, workdir, command, is_server=is_server)
    if is_server:  # else the registry would not see the server close its end
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
    while True:
        number = signal.sigwait(_WATCHED)
        if number != signal.SIGCHLD:
            _finish(workdir, 128 + number)
        if (code := _reap(child)) is not None:
            return code


def _become(libc: ctypes.CDLL, workdir: str, command: Sequence[str], *, is_server: bool) -> NoReturn:
    try:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if not is_server:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(2, 1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        os.chdir(workdir)
        os.execvp(command[0], list(command))
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _reap(child: int) -> int | None:
    """Collect the dead. The exit status of ``child`` if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def _finish(workdir: str, code: int) -> NoReturn:
    try:
        _kill_descendants()
        shutil.rmtree(workdir, ignore_errors=True)
    finally:
        os._exit(code if 0 <= code < 256 else 128 - code)


def _kill_descendants() -> None:
    while True:
        for pid in _descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # the name in parentheses may hold anything; the parent is the second field after it
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    level = children.get(root, [])
    while level:
        found += level
        level = [grandchild for child in level for grandchild in children.get(child, [])]
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
