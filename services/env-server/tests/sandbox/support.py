"""Small helpers of these tests."""

import textwrap
import time
from collections.abc import Callable

import anyio
import psutil
from astra_env_server.sandbox.base import Bundle, CallOutcome, Sandbox, ToolCode


def bundle(**tools: str) -> Bundle:
    """A bundle of tools by name → source."""
    return Bundle(tuple(ToolCode(name, textwrap.dedent(code)) for name, code in tools.items()))


def tool(body: str, *, name: str = "probe", takes: str = "") -> Bundle:
    """A bundle of one tool whose function has this body."""
    return Bundle((ToolCode(name, f"def {name}({takes}):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")),))


def cases(bodies: list[str]) -> Bundle:
    """A bundle with one tool a body, called case_0, case_1, …: one runner serves them all."""
    return Bundle(tuple(tool(body, name=f"case_{i}").tools[0] for i, body in enumerate(bodies)))


async def once(sandbox: Sandbox, code: Bundle, timeout_s: float = 10.0, **arguments: object) -> CallOutcome:
    """The outcome of one call of the bundle's first tool, in a session of its own."""
    session = await sandbox.open(code, 0)
    try:
        return await session.call(code.tools[0].name, arguments, timeout_s)
    finally:
        await session.close()


async def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether it comes true; the time is only there to end a test that fails."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        await anyio.sleep(0.02)
    return True


def below(pid: int | None = None) -> set[int]:
    """Processes that descend from this one and are not dead."""
    return {p.pid for p in psutil.Process(pid).children(recursive=True) if running(p.pid)}


def running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
