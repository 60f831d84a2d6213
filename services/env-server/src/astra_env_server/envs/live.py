"""The envs that this process has in its hands, each under a lock of its own."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from astra_env_server.envs.episode import Episode
from astra_env_server.envs.repository import EnvRow


@dataclass(eq=False)
class LiveEnv:
    """An env in memory. ``row`` is None until it has been read from the database."""

    row: EnvRow | None = None
    episode: Episode | None = None
    step_ids: dict[str, str] = field(default_factory=dict)
    """Of the steps of this episode, to the digest of their action."""
    stale: bool = False
    """Another process has moved the env on: what is here is worth nothing."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def close(self) -> None:
        """Let go of the session."""
        if self.episode is not None:
            await self.episode.close()


class LiveEnvs:
    """Envs by id, those used longest ago first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._envs: OrderedDict[str, LiveEnv] = OrderedDict()

    def __len__(self) -> int:
        return len(self._envs)

    def __contains__(self, env_id: str) -> bool:
        return env_id in self._envs

    @property
    def full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self._envs) >= self._most

    def add(self, env_id: str, env: LiveEnv) -> None:
        """Take in a new env."""
        self._envs[env_id] = env

    def hold(self, env_id: str) -> "Held":
        """The env, locked. One that is not open when it is let go of is not kept."""
        return Held(self, env_id)

    async def make_room(self) -> None:
        """Put down the envs used longest ago until no more are held than may be: their logs can rebuild them."""
        for env_id, env in list(self._envs.items()):
            if len(self._envs) <= self._most:
                return
            if not env.lock.locked() and self._envs.get(env_id) is env:
                del self._envs[env_id]
                await env.close()

    def ids(self) -> list[str]:
        """All of them."""
        return list(self._envs)

    def is_idle(self, env_id: str) -> bool:
        """Whether it is in memory and nobody holds it."""
        env = self._envs.get(env_id)
        return env is not None and not env.lock.locked()

    def idle(self) -> list[tuple[str, LiveEnv]]:
        """Those that nobody holds."""
        return [(env_id, env) for env_id, env in self._envs.items() if not env.lock.locked()]

    async def close(self) -> None:
        """Let go of every session."""
        envs, self._envs = list(self._envs.values()), OrderedDict()
        await asyncio.gather(*(env.close() for env in envs), return_exceptions=True)


class Held:
    """``async with`` an env. A class, for a step pays for it: a generator would cost ten times as much."""

    __slots__ = ("_env", "_env_id", "_live")

    def __init__(self, live: LiveEnvs, env_id: str) -> None:
        self._live, self._env_id = live, env_id

    async def __aenter__(self) -> LiveEnv:
        """Wait for it."""
        live, env_id = self._live, self._env_id
        while True:
            env = live._envs.get(env_id)
            if env is None:
                env = live._envs[env_id] = LiveEnv()
            await env.lock.acquire()
            if live._envs.get(env_id) is env:
                break
            env.lock.release()  # it was given up while we waited
        live._envs.move_to_end(env_id)
        self._env = env
        return env

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        env, envs = self._env, self._live._envs
        try:
            if env.stale or env.row is None or env.row.status != "open":
                if envs.get(self._env_id) is env:
                    del envs[self._env_id]
                await env.close()
        finally:
            env.lock.release()
