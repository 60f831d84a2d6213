"""Ending what goes on for ever."""

import asyncio
import contextlib

import pytest
from astra_service import tasks


@pytest.mark.anyio
async def test_a_task_that_forgets_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_AGAIN_S", 0.01)
    forgotten = 0

    async def beat() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if forgotten == 2:
                    raise
                forgotten += 1  # as `wait_for` of Python 3.11 does

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    await tasks.end(beating)
    assert beating.cancelled()
    assert forgotten == 2


@pytest.mark.anyio
async def test_what_a_task_raised_or_is_over_already_is_no_matter() -> None:
    async def fail() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        raise ValueError("late")

    over = asyncio.create_task(asyncio.sleep(0))
    await over
    failing = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await tasks.end(over, failing)
    assert isinstance(failing.exception(), ValueError)
