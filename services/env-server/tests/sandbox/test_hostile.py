"""Code that means harm: it learns nothing, reaches nobody, and the next session is served."""

import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import astra_env_server.sandbox as package
import psutil
import pytest
from astra_env_server.sandbox.base import Bundle, CallOutcome, Sandbox, SandboxError, SandboxLost, Session, ToolCode
from astra_env_server.sandbox.session import LocalSession
from astra_proto.envs import ErrorClass

from tests.security import bodies as probes

from .support import below, bundle, once, tool

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def surroundings() -> Iterator[dict[str, object]]:
    """Things of the server that must stay out of reach: a file any user may read, a listening port, a process."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    secret = folder / "secret.txt"
    secret.write_text("golden-42")
    abstract = socket.socket(socket.AF_UNIX)
    canary = f"astra-canary-{os.urandom(8).hex()}"
    abstract.bind(f"\0{canary}")
    abstract.listen()
    with socket.create_server(("127.0.0.1", 0)) as server, abstract:
        runner = str(Path(package.__file__).parent / "inside" / "session.py")
        yield {
            "secret": str(secret),
            "port": server.getsockname()[1],
            "server": os.getpid(),
            "runner": runner,
            "home": str(Path.home()),
            "abstract": canary,
        }
    secret.unlink()
    folder.rmdir()


def probe_bundle() -> Bundle:
    return Bundle(
        tuple(ToolCode(n, f"def {n}(x):\n" + textwrap.indent(b.strip(), "    ")) for n, b in probes.PROBES.items())
    )


@pytest.mark.parametrize("name", probes.PROBES)
async def test_an_attempt_from_a_tool_is_stopped(sandbox: Sandbox, surroundings: dict[str, object], name: str) -> None:
    session = await sandbox.open(probe_bundle(), 0)
    outcome = await session.call(name, {"x": surroundings}, 10.0)
    assert outcome.error_class is ErrorClass.TOOL, outcome
    assert outcome.output.split(":")[0] in probes.STOPPED, outcome
    assert "OPEN" not in outcome.output
    assert session.alive
    await session.close()


@pytest.mark.parametrize("name", probes.HARMLESS)
def test_the_same_attempt_succeeds_outside(surroundings: dict[str, object], name: str) -> None:
    """Else the test above would show nothing."""
    body = textwrap.indent(probes.PROBES[name].strip(), "    ")
    program = f"import os\ndef probe(x):\n{body}\nprobe({surroundings!r})\nos._exit(42)"
    done = subprocess.run([sys.executable, "-c", program], cwd="/tmp", capture_output=True, timeout=30, check=False)
    assert done.returncode == 42, done.stderr
    Path("/tmp/astra-probe").unlink(missing_ok=True)


@pytest.mark.parametrize(
    "name", ["planted_secret", "loopback", "fork", "shell", "thread", "kill_zygote", "write_tmp", "write_shm"]
)
async def test_an_attempt_on_import_is_stopped(sandbox: Sandbox, surroundings: dict[str, object], name: str) -> None:
    body = textwrap.indent(probes.PROBES[name].strip(), "    ")
    code = (
        f"def attempt(x):\n{body}\n"
        f"try:\n    GOT = repr(attempt({surroundings!r}))\n"
        "except Exception as error:\n    GOT = type(error).__name__\n"
        "def got(): return GOT\n"
    )
    before = below()
    outcome = await once(sandbox, Bundle((ToolCode("got", code),)))
    assert outcome.output in probes.STOPPED, outcome
    assert len(below() - before) <= 6  # this runner and at most the refill: shell, bwrap, warden, zygote


async def test_hooks_of_a_zygote_make_no_process(sandbox: Sandbox) -> None:
    """What an arena's code leaves in the zygote may run whenever that forks; it gets no fork that is not announced.

    On a busy machine it may run so late that it takes the one announced for the next session: that session then does
    not come, and its place is all that was taken.
    """
    code = bundle(
        stay="""
            import os
            TRIED, MADE = [], []
            def more():
                if len(TRIED) < 3:  # a fork that fails calls the hook again
                    TRIED.append(1)
                    try:
                        MADE.append(os.fork())
                    except PermissionError:
                        pass
            os.register_at_fork(after_in_parent=more)
            def stay():
                return [len(TRIED), MADE]
        """
    )
    first = await sandbox.open(code, 0)
    await asyncio.sleep(0.2)  # so that it hardly ever does
    try:
        second = await sandbox.open(code, 0)
    except SandboxLost:
        await first.close()
        return
    assert (await second.call("stay", {}, 5.0)).output == "[3, []]"
    if isinstance(first, LocalSession) and first.pid:
        assert len(psutil.Process(first.pid).parent().children()) == 2
    await first.close()
    await second.close()


async def test_siblings_cannot_touch_each_other(sandbox: Sandbox) -> None:
    code = bundle(
        me="import os\nCOUNT = [0]\ndef me():\n    COUNT[0] += 1\n    return [os.getpid(), COUNT[0], id(COUNT)]",
        harm="""
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            def harm(pid, where):
                got = []
                for act in (
                    lambda: os.kill(pid, 9),
                    lambda: os.kill(pid, 0),
                    lambda: open(f"/proc/{pid}/mem", "r+b"),
                    lambda: open(f"/proc/{pid}/environ", "rb"),
                    lambda: os.pidfd_open(pid),
                ):
                    try:
                        act()
                        got.append("OPEN")
                    except OSError:
                        got.append("stopped")
                got.append("OPEN" if libc.ptrace(16, pid, 0, 0) == 0 else "stopped")
                return got
        """,
    )
    victim, attacker = await sandbox.open(code, 0), await sandbox.open(code, 0)
    pid, _, where = json.loads((await victim.call("me", {}, 5.0)).output)
    outcome = await attacker.call("harm", {"pid": pid, "where": where}, 5.0)
    assert outcome.output == json.dumps(["stopped"] * 6)
    assert json.loads((await victim.call("me", {}, 5.0)).output) == [pid, 2, where]
    await victim.close()
    await attacker.close()


@pytest.mark.parametrize("how", probes.FORGERIES)
async def test_a_forged_frame_ends_its_session_only(sandbox: Sandbox, how: str) -> None:
    code = bundle(forge=probes.FORGE, fine="def fine(): return 'fine'")
    session, bystander = await sandbox.open(code, 0), await sandbox.open(code, 0)
    outcome = await session.call("forge", {"how": how}, 5.0)
    assert (outcome.ok, outcome.error_class) == (False, ErrorClass.TOOL), outcome
    assert not session.alive
    assert (await bystander.call("fine", {}, 5.0)).output == "fine"
    await bystander.close()
    assert (await fine_again(sandbox, code)).output == "fine"


async def fine_again(sandbox: Sandbox, code: Bundle) -> CallOutcome:
    session = await sandbox.open(code, 0)
    try:
        return await session.call("fine", {}, 5.0)
    finally:
        await session.close()


async def test_a_frame_left_for_the_next_call_is_not_its_answer(sandbox: Sandbox) -> None:
    code = bundle(
        trap="import os, sys\n"
        "def trap():\n"
        "    import gc\n"
        "    class Late:\n"
        "        def __del__(self, write=os.write): write(3, b'\\0\\0\\0\\x0a' + b'\\0' * 8 + b'Ox')\n"
        "    sys._getframe(1).f_globals['STAY'] = Late()\n"
        "    return 'set'\n",
        spring="import sys\ndef spring():\n    sys._getframe(1).f_globals.pop('STAY')\n    return 'sprung'",
        fine="def fine(): return 'fine'",
    )
    session = await sandbox.open(code, 0)
    assert (await session.call("trap", {}, 5.0)).output == "set"
    assert (await session.call("spring", {}, 5.0)).error_class is ErrorClass.TOOL
    assert not session.alive


async def test_patched_builtins_change_no_reply_and_no_later_session(sandbox: Sandbox) -> None:
    code = bundle(
        patch="""
            import builtins, json, random, struct, sys, time
            def patch():
                json.dumps = json.JSONEncoder.default = lambda *a, **k: "patched"
                json.loads = random.random = time.time = builtins.len = lambda *a, **k: 1 / 0
                sys.modules["json"].encoder.c_make_encoder = None
                return {"a": 1}
        """,
        fine="import json\ndef fine(): return [json.dumps({}), len([])]",
    )
    session = await sandbox.open(code, 0)
    await session.call("patch", {}, 5.0)
    await session.close()
    assert (await fine_again(sandbox, code)).output == '["{}", 0]'


async def test_a_session_holds_no_descriptor_but_its_own(sandbox: Sandbox) -> None:
    code = tool(
        """
        import os
        held = []
        for fd in range(1024):
            try:
                os.fstat(fd)
                held.append(fd)
            except OSError:
                pass
        return held
        """
    )
    assert (await once(sandbox, code)).output == "[0, 1, 2, 3]"


async def test_a_session_knows_nothing_of_the_server(sandbox: Sandbox) -> None:
    code = tool(
        """
        import gc, os, sys
        words = ("astra_", "subtask", "golden", "pydantic", "env-server")
        names = [*sys.modules, *sys.path, *os.environ, os.getcwd()]
        strings = [o for o in gc.get_objects() if isinstance(o, dict)]
        found = [n for n in names if any(w in n for w in words)]
        found += [k for d in strings for k in d if isinstance(k, str) and k in ("astra_proto", "ASTRA", "subtasks")]
        return [found, os.getuid() == 0, os.getcwd()]
        """
    )
    assert (await once(sandbox, code)).output == '[[], false, "/"]'


async def test_each_lock_is_in_force(sandbox: Sandbox) -> None:
    """Asked of the kernel, from outside the session."""
    session = await sandbox.open(tool("return 1"), 0)
    status = status_of(process_of(session))
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert status["Seccomp_filters"].strip() >= "2"
    assert status["CapEff"].strip() == status["CapPrm"].strip() == "0" * 16
    assert status["Threads"].strip() == "1"
    if os.geteuid() == 0:
        unused = range(65_534, 65_535) if sandbox.tier == "docker" else range(200_000, 300_000)
        assert all(int(uid) in unused for uid in status["Uid"].split())
        assert status["Groups"].strip() == ("65534" if sandbox.tier == "docker" else "")
    await session.close()


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)


def process_of(session: Session) -> int:
    """The session's process in our numbering."""
    assert isinstance(session, LocalSession)
    return session.pid


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no tables for this machine")
async def test_an_import_that_takes_the_zygote_over_is_a_typed_failure(sandbox: Sandbox) -> None:
    """It answers in the zygote's name and never forks: nobody waits for ever, nobody else is hurt."""
    code = """
        import os, time
        def speak():
            for fd in range(3, 4096):
                try: os.write(fd, b"\\0\\0\\0\\x0c" + b'{"ok": true}')
                except OSError: pass
        speak()
        time.sleep(999)
        def fine(): return 1
    """
    with pytest.raises(SandboxError):
        await sandbox.open(bundle(fine=code), 0)
    assert (await once(sandbox, tool("return 'served'"))).output == "served"
