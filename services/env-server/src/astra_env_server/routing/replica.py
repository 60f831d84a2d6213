"""One server among those that share the database: keeps the directory true about itself, knows where others are."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from prometheus_client import Counter

from astra_env_server.routing.directory import PERIOD_S, REPLICA_TTL_S, Directory
from astra_env_server.routing.forward import Forwarder

log = structlog.get_logger()


class Replica:
    """This server's part in routing. An env in its own memory costs no question to Redis."""

    def __init__(
        self,
        directory: Directory,
        forwarder: Forwarder,
        forwarded: Counter,
        *,
        held: Callable[[], Sequence[str]],
        holds: Callable[[str], bool],
        let_go: Callable[[str], Awaitable[None]],
    ) -> None:
        self.forwarder, self.forwarded, self.holds = forwarder, forwarded, holds
        self._directory, self._held, self._let_go = directory, held, let_go
        self._taken: list[str] = []
        self._news = asyncio.Event()
        self._doubted: dict[str, float] = {}

    def taken(self, env_id: str) -> None:
        """An env has come into memory here: the others are told in a moment."""
        self._taken.append(env_id)
        self._news.set()

    async def owner(self, env_id: str) -> str | None:
        """Where a request for an env that is not here should go; None when here is as good as anywhere."""
        address = await self._directory.find(env_id)
        if address is None or time.monotonic() < self._doubted.get(address, 0.0):
            return None
        return address

    def doubt(self, address: str) -> None:
        """A replica did not answer: ask it nothing until its last sign of life has run out."""
        self._doubted[address] = time.monotonic() + REPLICA_TTL_S

    async def run(self) -> None:
        """Beat, and tell what was taken, until cancelled."""
        due = 0.0
        while True:
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + PERIOD_S
                    await self.beat()
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._news.wait()
            except TimeoutError:
                continue
            except Exception as error:
                log.warning("routing.beat_failed", error=repr(error))
                continue
            self._news.clear()
            taken, self._taken = self._taken, []
            await self._directory.take(taken)

    async def beat(self) -> None:
        """Say what is here. An env that another replica took meanwhile is let go of: what it has become is there."""
        left = await self._directory.beat(self._held())
        if left:
            log.info("routing.envs_left", count=len(left))
            await asyncio.gather(*(self._let_go(env_id) for env_id in left))
