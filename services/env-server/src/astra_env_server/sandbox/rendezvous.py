"""The folder in which server and containers meet: sockets, and the code that runs inside."""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astra_env_server.sandbox.engine import Visible

_INSIDE = Path(__file__).parent / "inside"
_MOUNTED = "/astra"
CODE = "code"
"""Where in the folder the package ``inside`` lies."""


class SharedFolder:
    """One server's folder, locked while the server lives, so that another can tell it from one left behind.

    It can be passed through and not listed: who does not know a socket's name does not find it.
    """

    def __init__(self, visible: Visible, owner: int) -> None:
        base = visible.ours or Path(tempfile.gettempdir()) / f"astra-runners-{os.geteuid()}"
        base.mkdir(mode=0o711, parents=True, exist_ok=True)
        if visible.ours is None and base.stat().st_uid != os.geteuid():
            raise OSError(f"{base} belongs to another user")
        self.path = base / f"{owner}-{secrets.token_hex(4)}"
        self._base, self._own_base = base, visible.ours is None
        with _locked(base, wait=True):
            sweep(base)
            self.path.mkdir()
            self.path.chmod(0o711)
            self._lock = contextlib.ExitStack()
            self._lock.enter_context(_locked(self.path))
        shutil.copytree(_INSIDE, self.path / CODE / "inside", ignore=shutil.ignore_patterns("__pycache__"))
        for place in (self.path / CODE).rglob("*"):
            place.chmod(0o755 if place.is_dir() else 0o644)
        (self.path / CODE).chmod(0o755)
        # A volume is mounted whole, a folder of the machine by itself.
        whole = visible.kind == "volume"
        rest = Path(visible.rest)
        self._inside = Path(_MOUNTED) / rest / self.path.name if whole else Path(_MOUNTED)
        source = visible.source if whole else str(Path(visible.source or base) / rest / self.path.name)
        self.mount: dict[str, Any] = {
            "Type": visible.kind,
            "Source": source,
            "Target": _MOUNTED,
            "ReadOnly": True,
        }

    def inside(self, name: str) -> str:
        """The path in a container of what is called this here."""
        return str(self._inside / name)

    @contextlib.contextmanager
    def listener(self, name: str) -> Iterator[socket.socket]:
        """A socket that whoever knows its name can connect to, for as long as the block lasts."""
        path = self.path / name
        with socket.socket(socket.AF_UNIX) as listener:
            # By way of the folder's descriptor, for a socket's path must be short.
            folder = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
            try:
                listener.bind(f"/proc/self/fd/{folder}/{name}")
                path.chmod(0o666)
                listener.listen(2)
                listener.setblocking(False)
                yield listener
            finally:
                os.close(folder)
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove it; nothing uses it any more."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()
        if self._own_base:
            with contextlib.suppress(OSError):
                self._base.rmdir()  # unless another server's is there


def sweep(base: Path) -> None:
    """Remove the folders of servers that are no more."""
    for folder in base.iterdir():
        with contextlib.suppress(OSError), _locked(folder):  # of a server that lives, this cannot be had
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
