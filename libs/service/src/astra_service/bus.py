"""Wake-ups: "there is something to do". A hint, never the work itself: every listener also looks by itself."""

import asyncio
from collections import defaultdict
from typing import Protocol

import redis.asyncio as redis
import structlog

log = structlog.get_logger()


class Bus(Protocol):
    """Tells other tasks, or other processes, that a topic has news."""

    async def publish(self, topic: str) -> None:
        """Say that there is news."""

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """Sleep until there is news, at most ``timeout_s`` seconds. True if there was."""

    async def ping(self) -> None:
        """Raise unless it works."""

    async def close(self) -> None:
        """Let go of connections."""


class LocalBus:
    """Wake-ups within one process."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def publish(self, topic: str) -> None:
        """Say that there is news."""
        for waiter in self._waiting[topic]:
            waiter.set()

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """Sleep until there is news, at most ``timeout_s`` seconds."""
        waiter = asyncio.Event()
        self._waiting[topic].add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[topic].discard(waiter)
        return True

    async def ping(self) -> None:
        """It always works."""

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisBus:
    """Wake-ups between processes over Redis publish/subscribe. A Redis that is away only makes wake-ups slower."""

    def __init__(self, url: str, prefix: str = "astra:wake:") -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=2, health_check_interval=15)
        self._prefix = prefix

    async def publish(self, topic: str) -> None:
        """Say that there is news; a failure is logged and forgotten, for every listener polls too."""
        try:
            await self._redis.publish(self._prefix + topic, b"1")
        except (redis.RedisError, OSError) as error:
            log.warning("bus.publish_failed", topic=topic, error=str(error))

    async def wait(self, topic: str, timeout_s: float) -> bool:
        """Sleep until there is news, at most ``timeout_s`` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with self._redis.pubsub() as channel:
                await channel.subscribe(self._prefix + topic)
                while (left := deadline - asyncio.get_running_loop().time()) > 0:
                    if await channel.get_message(ignore_subscribe_messages=True, timeout=left):
                        return True
        except (redis.RedisError, OSError) as error:
            log.warning("bus.wait_failed", topic=topic, error=str(error))
            await asyncio.sleep(max(0.0, deadline - asyncio.get_running_loop().time()))
        return False

    async def ping(self) -> None:
        """Raise unless Redis answers."""
        await self._redis.ping()

    async def close(self) -> None:
        """Let go of connections."""
        await self._redis.aclose()


def open_bus(redis_url: str | None) -> Bus:
    """Redis if there is one, else within this process."""
    return RedisBus(redis_url) if redis_url else LocalBus()
