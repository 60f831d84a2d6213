"""Which runner serves whom: one arena for life, room made for new ones, spares kept ready."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import psutil
import pytest
from astra_env_server.sandbox.base import BundleRejected, Sandbox, SandboxFull, SandboxLost
from astra_env_server.sandbox.opening import Options, Tier, open_sandbox
from astra_env_server.sandbox.pool import PoolSize
from astra_env_server.sandbox.session import LocalSession

from .conftest import LIMITS
from .support import below, bundle, eventually, once, running, tool

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def small(tier: Tier, **size: int) -> AsyncIterator[Sandbox]:
    """A sandbox of its own."""
    sandbox = await open_sandbox(tier, Options(LIMITS, PoolSize(**size)))
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def until(sandbox: Sandbox, **expected: int) -> None:
    """Wait until the sandbox counts what is expected; a test that fails ends here."""
    with anyio.fail_after(20):
        while True:
            stats = await sandbox.stats()
            if all(getattr(stats, name) == count for name, count in expected.items()):
                return
            await anyio.sleep(0.02)


def runner_of(session: object) -> int:
    """The process that a session's runner began with."""
    assert isinstance(session, LocalSession)
    return session._runner.pid


async def test_each_arena_has_a_runner_of_its_own_and_the_idle_one_makes_room(tier: Tier) -> None:
    async with small(tier, max_runners=2, warm=0) as sandbox:
        first = await sandbox.open(tool("return 1"), 0)
        again = await sandbox.open(tool("return 1"), 0)
        second = await sandbox.open(tool("return 2"), 0)
        assert runner_of(first) == runner_of(again) != runner_of(second)
        with pytest.raises(SandboxFull):
            await sandbox.open(tool("return 3"), 0)
        stats = await sandbox.stats()
        assert (stats.runners, stats.max_runners, stats.warm, stats.sessions) == (2, 2, 0, 3)
        await second.close()
        third = await sandbox.open(tool("return 3"), 0)
        assert runner_of(third) not in (runner_of(first), runner_of(second))
        assert (await third.call("probe", {}, 5.0)).output == "3"
        assert (await first.call("probe", {}, 5.0)).output == "1"
        assert (await sandbox.stats()).runners == 2


async def test_room_is_made_by_the_arena_that_was_used_longest_ago(tier: Tier) -> None:
    one, two, three = (tool(f"return {n}") for n in (1, 2, 3))
    async with small(tier, max_runners=2, warm=0) as sandbox:
        pids = {}
        for code in (one, two, one):
            session = await sandbox.open(code, 0)
            pids[code.key] = runner_of(session)
            await session.close()
        assert (await once(sandbox, three)).output == "3"
        session = await sandbox.open(one, 0)
        assert runner_of(session) == pids[one.key], "it was used last"
        assert pids[two.key] not in below()
        await session.close()


async def test_a_runner_whose_session_broke_the_wire_takes_no_new_one(tier: Tier) -> None:
    code = bundle(forge="import os\ndef forge(): os.write(3, bytes(64))", fine="def fine(): return 'fine'")
    async with small(tier, max_runners=2, warm=0) as sandbox:
        bad, bystander = await sandbox.open(code, 0), await sandbox.open(code, 0)
        breached = runner_of(bad)
        assert "broke the wire" in (await bad.call("forge", {}, 5.0)).output
        fresh = await sandbox.open(code, 0)
        assert runner_of(fresh) != breached == runner_of(bystander)
        assert (await bystander.call("fine", {}, 5.0)).output == "fine", "what it has is played to its end"
        await bystander.close()
        assert await eventually(lambda: breached not in below())
        await until(sandbox, runners=1)
        await fresh.close()


async def test_spares_wait_and_are_replaced(tier: Tier) -> None:
    async with small(tier, max_runners=4, warm=2) as sandbox:
        await until(sandbox, warm=2)
        session = await sandbox.open(tool("return 1"), 0)
        await until(sandbox, warm=2, runners=3)
        await session.close()


async def test_a_spare_that_is_killed_while_it_imports_is_not_the_codes_fault(tier: Tier) -> None:
    sandbox = await open_sandbox(tier, Options(LIMITS, PoolSize(max_runners=4, warm=1)))
    try:
        await until(sandbox, warm=1)
        (spare,) = sandbox._ready  # type: ignore[attr-defined]
        opening = asyncio.create_task(
            sandbox.open(bundle(probe="import time\ntime.sleep(0.5)\ndef probe(): return 1"), 0)
        )
        await asyncio.sleep(0.25)
        os.kill(spare.pid, signal.SIGKILL)
        session = await opening
        assert runner_of(session) != spare.pid
        with pytest.raises(BundleRejected, match="ended its process"):
            await sandbox.open(bundle(probe="import os\nos._exit(137)"), 0)
    finally:
        await sandbox.close()


async def test_many_who_want_a_new_arena_at_once_share_one_import(tier: Tier) -> None:
    async with small(tier, max_runners=4, warm=1) as sandbox:
        code, opened = tool("return 1"), []

        async def join() -> None:
            opened.append(await sandbox.open(code, len(opened)))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(join)
        assert len({runner_of(session) for session in opened}) == 1
        assert (await sandbox.stats()).sessions == 20
        answers = []

        async def ask(session: LocalSession) -> None:
            answers.append((await session.call("probe", {}, 10.0)).output)

        async with anyio.create_task_group() as group:
            for session in opened:
                group.start_soon(ask, session)
        assert answers == ["1"] * 20


async def test_one_who_gives_up_does_not_end_the_import_for_others(tier: Tier) -> None:
    slow = bundle(probe="import time\ntime.sleep(0.5)\ndef probe(): return 1")
    async with small(tier, max_runners=2, warm=1) as sandbox:
        with anyio.move_on_after(0.1):
            await sandbox.open(slow, 0)
        assert (await once(sandbox, slow)).output == "1"


async def test_a_worn_runner_is_replaced_when_its_sessions_end(tier: Tier) -> None:
    async with small(tier, max_runners=3, warm=0, recycle_after=2) as sandbox:
        code = tool("return 1")
        first, second, third = [await sandbox.open(code, 0) for _ in range(3)]
        assert runner_of(first) == runner_of(second) != runner_of(third)
        assert (await first.call("probe", {}, 5.0)).output == "1"
        worn = runner_of(first)
        await first.close()
        await second.close()
        assert await eventually(lambda: worn not in below())
        await until(sandbox, runners=1)


async def test_an_arena_holds_no_more_sessions_than_it_may(tier: Tier) -> None:
    async with small(tier, max_runners=2, warm=0, sessions_per_runner=2) as sandbox:
        code = tool("return 1")
        first, _ = await sandbox.open(code, 0), await sandbox.open(code, 0)
        with pytest.raises(SandboxFull):
            await sandbox.open(code, 0)
        await first.close()
        assert (await once(sandbox, code)).output == "1"


async def test_closing_leaves_no_process(tier: Tier) -> None:
    before = below()
    own = await open_sandbox(tier, Options(LIMITS, PoolSize(max_runners=3, warm=1)))
    session = await own.open(tool("import time\ntime.sleep(999)"), 0)
    async with anyio.create_task_group() as group:

        async def call() -> None:
            with pytest.raises(SandboxLost):
                await session.call("probe", {}, 60.0)

        group.start_soon(call)
        assert await eventually(lambda: len(below() - before) >= 4)
        await own.close()
    assert await eventually(lambda: not below() - before)
    with pytest.raises(SandboxLost):
        await own.open(tool("return 1"), 0)


async def test_a_start_that_is_given_up_leaves_no_process(tier: Tier) -> None:
    before = below()
    async with small(tier, max_runners=2, warm=0) as sandbox:
        for wait in (0.0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032):
            starting = asyncio.create_task(sandbox._launch.start())  # type: ignore[attr-defined]
            await asyncio.sleep(wait)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
    assert await eventually(lambda: not below() - before)
    marked = {p.pid for p in psutil.process_iter(["cmdline"]) if str(LIMITS.output_bytes) in str(p.info["cmdline"])}
    assert not {pid for pid in marked if running(pid) and psutil.Process(pid).ppid() == 1}
