"""How much a key may use: envs open at once, steps a minute."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import redis.asyncio as redis
import structlog
from astra_proto.errors import QuotaReached

from astra_env_server.access.caller import Caller

log = structlog.get_logger()

CountOpen = Callable[[str], Awaitable[int]]
"""How many envs, made with the key of this id, are open."""
_SHARES = 50
"""A replica takes its steps from Redis in this many parts, and spends each by itself."""
_MINUTE_S = 60


@dataclass
class _Window:
    """The steps that this process may still hand out in one minute."""

    minute: int
    left: int = 0
    spent: bool = False
    """Redis has no more for this minute."""


class Quotas:
    """Refuses what goes beyond a key's quotas. Keys without quotas cost nothing."""

    def __init__(self, count_open: CountOpen, redis_url: str | None, clock: Callable[[], float] = time.time) -> None:
        self._count_open = count_open
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1) if redis_url else None
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._creating: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def room(self, caller: Caller, key_id: str | None) -> AsyncIterator[None]:
        """Room for one more open env made with ``key_id``, held until the block has made it. Raises QuotaReached.

        Counted in the database, so it holds over replicas, but for as many as they make at the same instant.
        """
        if caller.max_envs is None or key_id is None:
            yield
            return
        async with self._creating[key_id]:
            if await self._count_open(key_id) >= caller.max_envs:
                raise QuotaReached(
                    f"this key has its {caller.max_envs} envs open: delete one (GET /envs?status=open lists them), "
                    "or wait until one is over",
                    retry_after_s=1,
                )
            yield

    async def step(self, caller: Caller) -> None:
        """Count a step of a caller that has a quota of them. Raises QuotaReached until the minute is over."""
        key_id, most = caller.key_id, caller.steps_per_minute
        if most is None or key_id is None:
            return
        now = self._clock()
        window = self._windows.get(key_id)
        if window is None or window.minute != now // _MINUTE_S:
            window = self._windows[key_id] = _Window(int(now // _MINUTE_S), left=0 if self._redis else most)
        if window.left == 0 and self._redis and not window.spent:
            await self._take_share(self._redis, key_id, most, window)
        if window.left == 0:
            raise QuotaReached(
                f"this key may take {most} steps a minute, and has taken them",
                retry_after_s=max(1, round((window.minute + 1) * _MINUTE_S - now)),
            )
        window.left -= 1

    async def _take_share(self, store: redis.Redis, key_id: str, most: int, window: _Window) -> None:
        share = max(1, most // _SHARES)
        name = f"astra:steps:{key_id}:{window.minute}"
        try:
            async with store.pipeline(transaction=True) as pipeline:
                pipeline.incrby(name, share)
                pipeline.expire(name, 2 * _MINUTE_S)
                taken, _ = await pipeline.execute()
            given = max(0, min(share, most - (taken - share)))
        except (redis.RedisError, OSError) as error:
            log.warning("access.redis_failed", error=str(error))
            given, window.spent = most, True  # for this minute each replica counts by itself
        window.left += given
        window.spent = window.spent or given == 0

    async def close(self) -> None:
        """Let go of connections."""
        if self._redis:
            await self._redis.aclose()
