"""How the host ends one session: by a descriptor of its process, or by the warden where it cannot see the process."""

import contextlib
import os
import signal
import socket
import struct
from typing import Protocol


class Grip(Protocol):
    """A hold on one process."""

    def kill(self) -> None:
        """SIGKILL. Nothing happens when it is over already; raises OSError when it cannot be said."""

    def release(self) -> None:
        """Let go."""


class Descriptor:
    """A process that this one may signal, held so that its number cannot come to mean another."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def kill(self) -> None:
        """SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def release(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class ThroughWarden:
    """A process in a container, by its number there. A runner forks too few for a number to come round again.

    Whoever took the zygote over could have its session name another process: one of the same arena, or none.
    """

    def __init__(self, control: socket.socket, pid: int) -> None:
        self._control = control
        self._pid = pid

    def kill(self) -> None:
        """Have the warden kill it."""
        if self._control.fileno() >= 0:  # else the container is over
            self._control.send(struct.pack(">cI", b"K", self._pid))

    def release(self) -> None:
        """Nothing is held."""
