"""How a runner is started in each tier: which Python, what it may read, which command line."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from astra_env_server.sandbox.base import Limits, NoIsolation
from astra_env_server.sandbox.interpreter import Interpreter, find_interpreter
from astra_env_server.sandbox.runner import Runner

ProcessTier = Literal["bubblewrap", "landlock"]

_HERE = Path(__file__).parent
_STDERR_BYTES = 8192
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
_uids = itertools.count(os.getpid() * 97)


@dataclass(frozen=True)
class ProcessLaunch:
    """Starts runners as children of this process."""

    tier: ProcessTier
    interpreter: Interpreter
    limits: Limits
    bwrap: str | None = None
    reaped: int = 0
    """Always: processes of a server do not outlive it."""

    async def start(self) -> Runner:
        """A runner that is locked and waits for code. Raises SandboxLost with what it complained of."""
        control, theirs = socket.socketpair()
        link, zygote = socket.socketpair()
        try:
            arguments, environment = self.command(theirs.fileno(), zygote.fileno())
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *arguments,
                    env=environment,
                    pass_fds=(theirs.fileno(), zygote.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                    cwd="/",
                )
            )
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # Not killed half-way: it finds the control socket closed, and leaves in order.
                control.close()
                await ProcessTree(await starting).end()
                raise
        except BaseException:
            control.close()
            link.close()
            raise
        finally:
            theirs.close()
            zygote.close()
        return await Runner.begin(self.limits, ProcessTree(process), control, link)

    async def close(self) -> None:
        """Nothing is kept."""

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

        It is not told to die with its parent: killed at the wrong moment of its start it would leave a child that waits
        for ever. When the server goes the control socket closes, and the warden ends all, however far it has come.

        A root server makes no user namespace: bubblewrap mounts as root, and the runner becomes an unused user before
        it is given any code.
        """
        arguments = [self.bwrap or "bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--unshare-cgroup-try", "--new-session", "--as-pid-1", "--hostname", "astra"]
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


class ProcessTree:
    """A runner that is a child of this process."""

    signals = True

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process
        self._complaint = asyncio.ensure_future(_first_bytes(process.stderr))

    def exited(self) -> bool:
        """Whether it is dead, though the event loop may not have heard of it yet."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def wait(self) -> None:
        """Wait until it is over."""
        await self._process.wait()

    async def end(self) -> str:
        """Wait for its end, and bring it about after five seconds; gives the start of what it wrote."""
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
        return await self._complaint


async def _first_bytes(stream: asyncio.StreamReader | None) -> str:
    """The start of what a process writes, read to the end so that it never waits for us."""
    kept = b""
    while stream is not None and (part := await stream.read(_STDERR_BYTES)):
        kept = (kept + part)[:_STDERR_BYTES]
    return kept.decode("utf-8", "replace").strip()


async def plan(tier: ProcessTier, limits: Limits, python: str | None = None) -> ProcessLaunch:
    """How to start runners of this tier here; raises NoIsolation when something it needs is missing."""
    if not sys.platform.startswith("linux"):
        raise NoIsolation(f"this needs Linux, not {sys.platform}")
    bwrap = shutil.which("bwrap") if tier == "bubblewrap" else None
    if tier == "bubblewrap" and bwrap is None:
        raise NoIsolation("the program bwrap is missing: install the package bubblewrap")
    return ProcessLaunch(tier, await find_interpreter(tier, python), limits, bwrap)
