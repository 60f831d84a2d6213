"""The Python that runners on this machine run, and where its standard library lies."""

import asyncio
import glob
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from astra_env_server.sandbox.base import NoIsolation

_ASK = (
    "import json, sys, sysconfig as c; print(json.dumps([sys.version_info[:2], sys.base_prefix, "
    "c.get_path('stdlib', vars={'installed_base': sys.base_prefix}), "
    "c.get_path('platstdlib', vars={'platbase': sys.base_exec_prefix})]))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python and where its standard library lies."""

    executable: str
    libraries: tuple[str, ...]

    def shared(self) -> list[str]:
        """Its own shared libraries, next to the folder of its modules."""
        return sorted({p for library in self.libraries for p in glob.glob(f"{Path(library).parent}/*.so*")})

    def modules(self) -> list[str]:
        """What is in the standard library, without the packages installed beside it."""
        return sorted(
            {
                entry.path
                for library in self.libraries
                for entry in os.scandir(library)
                if entry.name not in ("site-packages", "dist-packages", "__pycache__")
            }
        )


def reachable_by_all(path: str) -> bool:
    """Whether a user without any rights can get to this path and read it."""
    folders = [str(p) for p in Path(path).parents]
    return bool(os.stat(path).st_mode & 0o004) and all(os.stat(folder).st_mode & 0o001 for folder in folders)


def _real(path: str) -> str:
    return os.path.realpath(path)


async def find_interpreter(tier: str, python: str | None) -> Interpreter:
    """The Python for runners: the one named, else the server's own, else the system's; 3.11 or later.

    Without a mount namespace a root server's runner, once it is nobody, must still reach the library where it lies.
    """
    own = getattr(sys, "_base_executable", None) or sys.executable
    reasons = []
    for candidate in (python,) if python else (own, "/usr/local/bin/python3", "/usr/bin/python3"):
        executable = _real(candidate)
        try:
            process = await asyncio.create_subprocess_exec(
                executable, "-I", "-S", "-c", _ASK, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            reasons.append(f"{executable}: {error.strerror}")
            continue
        output, _ = await process.communicate()
        if process.returncode != 0:
            reasons.append(f"{executable} does not start")
            continue
        version, _, *libraries = json.loads(output)
        found = Interpreter(executable, tuple(sorted(set(libraries))))
        if tuple(version) < (3, 11):
            reasons.append(f"{executable} is older than 3.11")
        elif tier == "landlock" and os.geteuid() == 0 and not all(map(reachable_by_all, found.libraries)):
            reasons.append(f"{executable} has its library where only root can read it")
        else:
            return found
    raise NoIsolation("no Python for runners: " + "; ".join(reasons))
