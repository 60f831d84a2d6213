"""Who has which env in memory, in Redis. All of it is hints: the database decides, whatever is lost or wrong here."""

import time
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

log = structlog.get_logger()

PERIOD_S = 2.0
"""Between two beats of a replica."""
REPLICA_TTL_S = 3 * PERIOD_S
"""A replica that has not been heard of for so long is taken for dead."""
ENV_TTL_S = 60.0
"""How long an env is looked for where it was last, when nobody renews that."""
_ANSWER_S = 0.5
_QUIET_S = 1.0
"""After Redis did not answer, how long it is not asked."""
_REPLICA, _ENV = "astra:env-server:replica:", "astra:env-server:env:"

# KEYS: an env. ARGV: this replica, prefix of replicas. The other replica that has the env and lives, or nothing.
_FIND = """
local at = redis.call('GET', KEYS[1])
if at and at ~= ARGV[1] and redis.call('EXISTS', ARGV[2] .. at) == 1 then return at end
return false
"""
# KEYS: envs that this replica has. ARGV: it, prefix of replicas, milliseconds. Which of them (from 1) another has.
_RENEW = """
local lost = {}
for i, key in ipairs(KEYS) do
    local at = redis.call('GET', key)
    if at and at ~= ARGV[1] and redis.call('EXISTS', ARGV[2] .. at) == 1 then
        lost[#lost + 1] = i
    else
        redis.call('SET', key, ARGV[1], 'PX', ARGV[3])
    end
end
return lost
"""
_MANY = 500
"""Envs in one request to Redis."""


class Directory:
    """What one replica says of itself and asks about the others. It never raises: no answer is an answer."""

    def __init__(self, redis_url: str, address: str) -> None:
        self.address = address
        self._redis: Any = redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=_ANSWER_S,
            socket_timeout=_ANSWER_S,
            retry=Retry(NoBackoff(), 1),  # a connection from before Redis was started anew is tried once more
            max_connections=1_000,
            decode_responses=True,
        )
        self._find = self._redis.register_script(_FIND)
        self._renew = self._redis.register_script(_RENEW)
        self._quiet_until = 0.0

    async def find(self, env_id: str) -> str | None:
        """The address of the other, living replica that has the env in memory, if one is known."""
        if time.monotonic() < self._quiet_until:
            return None
        found = await self._ask(self._find(keys=[_ENV + env_id], args=[self.address, _REPLICA]))
        return found if isinstance(found, str) else None

    async def take(self, env_ids: Iterable[str]) -> None:
        """Say that these envs are here now, whoever had them before."""
        if time.monotonic() < self._quiet_until:
            return  # the next beat says so
        pipeline = self._redis.pipeline(transaction=False)
        for env_id in env_ids:
            pipeline.set(_ENV + env_id, self.address, px=_ms(ENV_TTL_S))
        await self._ask(pipeline.execute())

    async def beat(self, held: Sequence[str]) -> list[str]:
        """Say that this replica lives and has these envs; those that another living replica says it has."""
        if await self._ask(self._redis.set(_REPLICA + self.address, "1", px=_ms(REPLICA_TTL_S))) is None:
            return []
        lost: list[str] = []
        for start in range(0, len(held), _MANY):
            some = held[start : start + _MANY]
            keys = [_ENV + env_id for env_id in some]
            found = await self._ask(self._renew(keys=keys, args=[self.address, _REPLICA, _ms(ENV_TTL_S)]))
            lost += [some[number - 1] for number in found or []]
        return lost

    async def leave(self) -> None:
        """Take this replica out, so that nobody asks it any more; then let go of connections."""
        await self._ask(self._redis.delete(_REPLICA + self.address))
        await self._redis.aclose()

    async def _ask(self, answer: Awaitable[Any]) -> Any:
        try:
            found = await answer
        except (redis.RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self._quiet_until:
                log.warning("routing.redis_failed", error=str(error))
            self._quiet_until = time.monotonic() + _QUIET_S
            return None
        self._quiet_until = 0.0
        return found


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
