"""How a runner is started in each tier: which Python, what it may read, which command line."""

import asyncio
import glob
import itertools
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from astra_env_server.sandbox.base import Limits, NoIsolation

Tier = Literal["bubblewrap", "landlock"]
TIERS: tuple[Tier, ...] = ("bubblewrap", "landlock")
"""Strongest first."""

_HERE = Path(__file__).parent
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
_ASK = (
    "import json, sys, sysconfig as c; print(json.dumps([sys.version_info[:2], sys.base_prefix, "
    "c.get_path('stdlib', vars={'installed_base': sys.base_prefix}), "
    "c.get_path('platstdlib', vars={'platbase': sys.base_exec_prefix})]))"
)
_uids = itertools.count(os.getpid() * 97)


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


async def find_interpreter(tier: Tier, python: str | None) -> Interpreter:
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


@dataclass(frozen=True)
class Launch:
    """Everything that starting one more runner of a tier needs."""

    tier: Tier
    interpreter: Interpreter
    limits: Limits
    bwrap: str | None = None

    def command(self, control: int, link: int) -> tuple[list[str], dict[str, str]]:
        """Command line and environment of a new runner, which inherits these two descriptors."""
        root = os.geteuid() == 0
        system = [p for p in (*_SYSTEM_LIBRARIES, *_SYSTEM_FILES) if os.path.exists(p)]
        configuration = {
            "control": control,
            "link": link,
            "uid": 200_000 + next(_uids) % 100_000 if root else None,
            "readable": [*system, *self.interpreter.shared(), *self.interpreter.modules()],
            "listable": list(self.interpreter.libraries),
            "limits": {k: v for k, v in asdict(self.limits).items() if isinstance(v, int)},
        }
        python = [self.interpreter.executable, "-P", "-S", "-s", "-B", "-X", "utf8", "-m", "inside"]
        python.append(json.dumps(configuration))
        environment = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(_HERE), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        if self.tier == "bubblewrap":
            environment["PYTHONPATH"] = "/astra"
            python = [*self._bubblewrap(root), "--", *python]
        # The first to go when memory runs out, so that the server is not.
        return [
            "/bin/sh",
            "-c",
            'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"',
            "sh",
            *python,
        ], environment

    def _bubblewrap(self, root: bool) -> list[str]:
        """Namespaces of its own and a file system that holds Python, its libraries and the runner, all read-only.

        A root server makes no user namespace: bubblewrap mounts as root, and the runner becomes an unused user before
        it is given any code.
        """
        arguments = [self.bwrap or "bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "astra"]
        arguments += ["--cap-drop", "ALL"]
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else ["--unshare-user"]
        links = [p for p in _SYSTEM_LIBRARIES if os.path.islink(p)]
        shown = [p for p in (*_SYSTEM_LIBRARIES, *_SYSTEM_FILES) if p not in links and os.path.exists(p)]
        shown += [self.interpreter.executable, *self.interpreter.libraries, *self.interpreter.shared()]
        # Made by hand, for the folders that bubblewrap makes on its way are open to their owner only.
        folders = {str(folder) for path in [*shown, "/dev/x", "/astra/x"] for folder in Path(path).parents} - {"/"}
        for folder in sorted(folders - set(links)):
            arguments += ["--dir", folder]
        for path in links:
            arguments += ["--symlink", os.readlink(path), path]
        for path in shown:
            arguments += ["--ro-bind", path, path]
        for library in self.interpreter.libraries:
            for packages in ("site-packages", "dist-packages"):
                if os.path.isdir(f"{library}/{packages}"):
                    arguments += ["--tmpfs", f"{library}/{packages}"]
        for device in ("/dev/null", "/dev/urandom"):
            arguments += ["--dev-bind", device, device]
        arguments += ["--ro-bind", str(_HERE / "inside"), "/astra/inside"]
        return [*arguments, "--chdir", "/", "--remount-ro", "/"]


async def plan(tier: Tier, limits: Limits, python: str | None = None) -> Launch:
    """How to start runners of this tier here; raises NoIsolation when something it needs is missing."""
    if not sys.platform.startswith("linux"):
        raise NoIsolation(f"this needs Linux, not {sys.platform}")
    bwrap = shutil.which("bwrap") if tier == "bubblewrap" else None
    if tier == "bubblewrap" and bwrap is None:
        raise NoIsolation("the program bwrap is missing: install the package bubblewrap")
    return Launch(tier, await find_interpreter(tier, python), limits, bwrap)
