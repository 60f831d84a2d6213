"""Ending tasks that go on for ever."""

import asyncio
from typing import Any

_AGAIN_S = 5.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait until all are over, whatever they raise.

    They are cancelled again and again: ``asyncio.wait_for`` of Python 3.11, which drivers of databases use, forgets a
    cancellation that comes at the moment when what it waits for is done, and the task would go on for ever.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
