"""Each way in which a call can fail gives a typed outcome, in time, and costs nobody else anything."""

import os
import signal

import anyio
import pytest
from astra_env_server.sandbox.base import CallOutcome, Sandbox, SandboxLost
from astra_env_server.sandbox.session import LocalSession
from astra_proto.envs import ErrorClass

from .support import bundle, cases, once, tool

pytestmark = pytest.mark.anyio


TOLD = [
    ("raise ValueError('no such order')", "ValueError: no such order"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
    ("raise GeneratorExit('g')", "GeneratorExit: g"),
    ("raise BaseExceptionGroup('all', [KeyboardInterrupt()])", "BaseExceptionGroup: all (1 sub-exception)"),
    ("raise type('Odd', (Exception,), {'__str__': lambda s: 1 / 0})", "Odd: (its message cannot be had)"),
    ("raise type('Odd', (Exception,), {'__str__': lambda s: exit(1)})", "Odd: (its message cannot be had)"),
    ("return {1, 2}", "TypeError: Object of type set is not JSON serializable"),
    ("return float('nan')", "ValueError: Out of range float values are not JSON compliant"),
    ("return {(1, 2): 3}", "TypeError: keys must be str, int, float, bool or None, not tuple"),
    ("return b'raw'", "TypeError: Object of type bytes is not JSON serializable"),
    ("x = []\nx.append(x)\nreturn x", "ValueError: the result is nested deeper than 64"),
    ("x = 1\nfor _ in range(66): x = [x]\nreturn x", "ValueError: the result is nested deeper than 64"),
    ("return 'x' * 65537", "OutputTooLarge: the result has 65537 bytes, the limit is 65536"),
    ("return ['x' * 65536]", "OutputTooLarge: the result has 65540 bytes, the limit is 65536"),
    ("raise ValueError('\\ud800')", "ValueError: ?"),
]
"""Bodies of tools, and what is told of each."""
BOUNDED = [
    ("return '\\ud800'", "UnicodeEncodeError"),
    ("return 10 ** 5000", "ValueError: Exceeds the limit"),
    ("return [bytearray(1 << 24) for _ in range(99)]", "MemoryError"),
    ("def f(): return f()\nreturn f()", "RecursionError"),
    ("raise ValueError('é' * 9000)", "ValueError: ééé"),
    ("return case_5(1)", "TypeError: case_5() takes 0 positional arguments"),
    ("import asyncio\nreturn asyncio.run(asyncio.sleep(0))", "PermissionError"),
]
"""Bodies of tools, and how what is told of each begins."""


@pytest.mark.parametrize("case", range(len(TOLD)), ids=[output for _, output in TOLD])
async def test_what_a_tool_raises_is_told(sandbox: Sandbox, case: int) -> None:
    session = await sandbox.open(cases([body for body, _ in TOLD]), 0)
    for _ in range(2):  # the session lives on
        assert await session.call(f"case_{case}", {}, 5.0) == CallOutcome(False, TOLD[case][1], ErrorClass.TOOL)
    assert session.alive
    await session.close()


@pytest.mark.parametrize("case", range(len(BOUNDED)), ids=[begins for _, begins in BOUNDED])
async def test_what_a_tool_raises_is_bounded_text(sandbox: Sandbox, case: int) -> None:
    session = await sandbox.open(cases([body for body, _ in BOUNDED]), 0)
    outcome = await session.call(f"case_{case}", {}, 5.0)
    assert (outcome.ok, outcome.error_class) == (False, ErrorClass.TOOL)
    assert outcome.output.startswith(BOUNDED[case][1])
    assert len(outcome.output.encode()) <= 4096
    await session.close()


async def test_the_largest_result_fits(sandbox: Sandbox) -> None:
    outcome = await once(sandbox, tool("return 'x' * 65536"))
    assert outcome == CallOutcome(True, "x" * 65536, None)


@pytest.mark.parametrize("arguments", [{"x": float("inf")}, {"x": "\ud800"}, {"x": {1, 2}}, {"x": 10**5000}])
async def test_arguments_that_are_no_json_are_the_agents_fault(sandbox: Sandbox, arguments: dict[str, object]) -> None:
    code = tool("return x", takes="x")
    session = await sandbox.open(code, 0)
    outcome = await session.call("probe", arguments, 5.0)
    assert (outcome.ok, outcome.error_class) == (False, ErrorClass.POLICY)
    assert (await session.call("probe", {"x": 10**100}, 5.0)).output == str(10**100)
    assert (await session.call("probe", {"y": 1}, 5.0)).error_class is ErrorClass.TOOL
    assert (await session.call("nobody", {}, 5.0)).error_class is ErrorClass.TOOL
    await session.close()


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nimport time\ntime.sleep(999)",
        "import re\nreturn bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))",
        "raise type('Slow', (Exception,), {'__str__': lambda s: __import__('time').sleep(999)})",
        "import os\nos.write(3, b'\\x00\\x00\\x00\\x20half')\n__import__('time').sleep(999)",
    ],
)
async def test_a_tool_that_runs_too_long_is_killed(sandbox: Sandbox, body: str) -> None:
    code = tool(body)
    session, bystander = await sandbox.open(code, 0), await sandbox.open(code, 0)
    outcome = await session.call("probe", {}, 0.2)
    assert outcome == CallOutcome(False, "the tool ran longer than 0.2 s", ErrorClass.TIMEOUT)
    assert not session.alive
    assert bystander.alive
    with pytest.raises(SandboxLost):
        await session.call("probe", {}, 0.2)
    await bystander.close()


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import os\nos._exit(0)", ""),
        ("import ctypes\nctypes.string_at(0)", " (SIGSEGV)"),
        ("import os\nos.closerange(3, 4096)\n__import__('time').sleep(999)", ""),
    ],
)
async def test_a_tool_that_ends_its_process(sandbox: Sandbox, body: str, how: str) -> None:
    session = await sandbox.open(tool(body), 0)
    outcome = await session.call("probe", {}, 5.0)
    assert outcome == CallOutcome(False, f"the tool ended its own process{how}", ErrorClass.TOOL)
    assert not session.alive


async def test_a_process_killed_from_outside_is_nobodys_fault(sandbox: Sandbox) -> None:
    code = bundle(
        nap="import time\ndef nap(): time.sleep(999)",
        pid="import os\ndef pid(): return os.getpid()",
        ok="def ok(): return 1",
    )
    session, bystander = await sandbox.open(code, 0), await sandbox.open(code, 0)
    assert isinstance(session, LocalSession)

    async def shoot() -> None:
        await anyio.sleep(0.1)
        os.kill(session.pid, signal.SIGKILL)

    async with anyio.create_task_group() as group:
        group.start_soon(shoot)
        with pytest.raises(SandboxLost):
            await session.call("nap", {}, 30.0)
    assert (await bystander.call("ok", {}, 5.0)).output == "1"
    os.kill(bystander._runner.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    with pytest.raises(SandboxLost):
        await bystander.call("nap", {}, 30.0)
    assert (await once(sandbox, code, 1.0)).error_class is ErrorClass.TIMEOUT  # the next runner serves


async def test_a_call_that_is_given_up_ends_its_session(sandbox: Sandbox) -> None:
    session = await sandbox.open(tool("import time\ntime.sleep(999)"), 0)
    with anyio.move_on_after(0.2):
        await session.call("probe", {}, 60.0)
    assert not session.alive
    with pytest.raises(SandboxLost):
        await session.call("probe", {}, 1.0)


async def test_a_flood_on_the_standard_streams_reaches_nobody(sandbox: Sandbox) -> None:
    code = tool(
        """
        import os, sys
        for _ in range(20_000):
            print("noise " * 20)
            print("noise " * 20, file=sys.stderr)
        os.write(1, b"x" * (1 << 20)); os.write(2, b"x" * (1 << 20))
        return "quiet"
        """
    )
    assert await once(sandbox, code) == CallOutcome(True, "quiet", None)
