"""The warden: parent of the zygote. It lets one fork through for each session that the host announced, and no other.

The zygote's filter puts every fork before the warden (seccomp user notification), so arena code that took the zygote
over can make no process of its own; sessions cannot fork at all. When the host goes, the warden ends what is left and
then itself.
"""

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import time

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_EPERM = 1


class ForkGate:
    """Answers the forks of one process: as many as were granted."""

    def __init__(self, listener: int, control: socket.socket, zygote: int) -> None:
        self._listener = listener
        self._control = control
        self._zygote = zygote
        self._granted = 0
        self._orders = bytearray()

    def read_orders(self) -> bool:
        """Take what the host says: F announces a fork, K and four bytes kill a session. False when it is gone."""
        try:
            said = self._control.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._orders += said
        while self._orders:
            if self._orders[:1] == b"K":
                if len(self._orders) < 5:
                    break
                pid = int.from_bytes(self._orders[1:5], "big")
                if pid > 1 and pid not in (os.getpid(), self._zygote):
                    _kill(pid)
                del self._orders[:5]
            else:
                self._granted += 1
                del self._orders[:1]
        return bool(said)

    def decide(self) -> None:
        """Let the waiting fork through, or refuse it."""
        notice = bytearray(80)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notice, True)
        except OSError:
            return  # it gave up, or was killed, while it waited
        identity, pid = struct.unpack_from("QI", notice)
        # The host announces before it asks the zygote, so a grant that is due can be read by now.
        self.read_orders()
        granted = pid == self._zygote and self._granted > 0
        answer = struct.pack("QqiI", identity, 0, 0 if granted else -_EPERM, _CONTINUE if granted else 0)
        try:
            fcntl.ioctl(self._listener, _SEND, answer)
        except OSError:
            return  # a signal took it back: it asks again, and the grant is still there
        self._granted -= granted


def watch(control: socket.socket, listener: int, zygote: int) -> None:
    """Decide forks until the host closes the control socket or the zygote ends; then end every process below."""
    gate = ForkGate(listener, control, zygote)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(listener, select.POLLIN)
    while (how := _ended(zygote)) is None:
        for descriptor, event in poll.poll():
            if descriptor == control.fileno():
                if not gate.read_orders():
                    return end_all(zygote)
            elif event & select.POLLIN:
                gate.decide()
            else:
                time.sleep(0.001)  # nobody is left under the filter: the zygote is about to have ended
    # By itself, or killed from outside: the host wants to know, and asks nobody who may lie.
    with contextlib.suppress(OSError):
        control.send(bytes([ord("E"), how]))
    end_all(zygote)


def _ended(pid: int) -> int | None:
    """The signal that ended it, 0 when it left by itself; None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0) if ended else None


def end_all(zygote: int, within_s: float = 2.0) -> None:
    """Kill the zygote and all that it left behind; the orphans are the warden's children, for it is their subreaper."""
    _kill(zygote)
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            _kill(pid)
        time.sleep(0.005)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Processes whose parent is this one. Without /proc (a pid namespace of our own) the end of the warden ends all."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
        except (OSError, IndexError, ValueError):
            continue
    return found
