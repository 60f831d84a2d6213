"""Runs one command and lets nothing that it started outlive it. Standard library only; run as a script.

``python -I -S guard.py PARENT_PID GRACE_S -- COMMAND ...``

The guard is told by the kernel when the process that started it dies, however it dies, and is the one to whom
orphans of the command fall. So the death of `astra up`, of the service or of a tool server leaves no process behind:
the command gets SIGTERM and ``GRACE_S`` seconds, and what is left of its whole family then gets SIGKILL.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def main(arguments: list[str]) -> int:
    """Run the command; its exit status, or 128 + the signal that ended it."""
    parent, grace_s, command = int(arguments[0]), float(arguments[1]), arguments[3:]
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we could ask to be told
        return 1
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        _become(command)
    try:
        return _wait(child, grace_s)
    finally:
        _kill_family()


def _become(command: list[str]) -> None:
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a guard that is killed takes its command along
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _wait(child: int, grace_s: float) -> int:
    deadline = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        got = signal.sigwaitinfo(WATCHED) if left is None else signal.sigtimedwait(WATCHED, left)
        if got is None:
            os.kill(child, signal.SIGKILL)
            deadline = time.monotonic() + 60
        elif got.si_signo == signal.SIGCHLD:
            for pid, status in _reaped():
                if pid == child:
                    code = os.waitstatus_to_exitcode(status)
                    return code if code >= 0 else 128 - code
        elif deadline is None:
            os.kill(child, signal.SIGTERM)
            deadline = time.monotonic() + grace_s


def _reaped() -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, status))


def _kill_family() -> None:
    """Kill every descendant. Killing makes orphans, which fall to us, so look again until there are none."""
    while family := _descendants():
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reaped()
        time.sleep(0.01)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has gone meanwhile
                continue
            children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found: list[int] = []
    level = [os.getpid()]
    while level:
        level = [child for pid in level for child in children.get(pid, [])]
        found += level
    return found


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
