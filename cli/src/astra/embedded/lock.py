"""One `astra up` a data folder: a lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path


class Locked(Exception):
    """Another process holds the folder; ``pid`` is which."""

    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(pid)


class FolderLock:
    """Holds a folder from :meth:`take` until :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "up.lock"
        self._file: int | None = None

    def take(self) -> None:
        """Hold the folder. Raises :class:`Locked` if another does."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise Locked(pid) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._file = descriptor

    def release(self) -> None:
        """Let the folder go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @classmethod
    def is_held(cls, folder: Path) -> bool:
        """Whether another process holds the folder."""
        if not folder.is_dir():
            return False
        lock = cls(folder)
        try:
            lock.take()
        except Locked:
            return True
        lock.release()
        return False
