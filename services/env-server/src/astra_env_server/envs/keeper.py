"""Keeping envs: which are in memory, how they stand in the database, and when their time is over."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from astra_proto.errors import CapacityReached, Gone, NotFound

from astra_env_server.access.caller import current
from astra_env_server.access.quotas import Quotas
from astra_env_server.envs.live import Held, LiveEnv, LiveEnvs
from astra_env_server.envs.repository import EnvRepository, EnvRow
from astra_env_server.metrics import Metrics

_STRIDE = 1 / 16
"""Of its time to live, by how much an env may expire late."""
RETRY_AFTER_S = 1
"""What is told to who finds no room."""


class Keeper:
    """Hands out envs, one caller at a time. One that is not in memory is read from the database."""

    def __init__(
        self,
        repository: EnvRepository,
        metrics: Metrics,
        quotas: Quotas,
        *,
        max_envs: int,
        now: Callable[[], datetime],
    ) -> None:
        self._repository, self._metrics, self._quotas = repository, metrics, quotas
        self._max_envs, self._now = max_envs, now
        self._live = LiveEnvs(max_envs)
        self._taken: Callable[[str], None] = lambda env_id: None
        metrics.envs.set_function(lambda: len(self._live))

    def __len__(self) -> int:
        return len(self._live)

    def hold(self, env_id: str, *, fresh: bool = False) -> "Hold":
        """The env locked and read; ``fresh``: as the database has it. What its time has run out of is marked so.

        What is in memory may be old, for another server may have gone on with the env. A step finds that out when it
        is written; whoever writes nothing has to look. Raises NotFound, also of an env that is not the caller's.
        """
        return Hold(self, self._live.hold(env_id), env_id, fresh)

    async def look(self, env: LiveEnv, env_id: str, *, fresh: bool) -> EnvRow:
        """How an env that is held stands; see ``hold``."""
        row, now = env.row, self._now()
        if row is None:
            row = env.row = await self._read(env_id)
            self._taken(env_id)
            await self._live.make_room()
        elif fresh or row.expires_at <= now:
            row = await self._refresh(env, row)
        if not current().may_use(row.tenant, row.key_id):
            raise _unknown(env_id)
        if row.status == "open" and row.expires_at <= now:
            await self._expire(now)
            row = env.row = replace(row, status="expired")
        return row

    @asynccontextmanager
    async def place(self, row: EnvRow) -> AsyncIterator[None]:
        """Room for a new env, taken before it is stored, given back if it is not. Raises QuotaReached."""
        self._live.add(row.id, LiveEnv(row=row))
        try:
            async with self._quotas.room(current(), row.key_id if row.status == "open" else None):
                yield
        except BaseException:
            async with self._live.hold(row.id) as env:
                env.stale = True
            raise
        self._taken(row.id)
        if row.status != "open":
            async with self._live.hold(row.id):
                pass  # what is over is not kept

    def refuse_if_full(self) -> None:
        """Raises CapacityReached when there is no room for one more."""
        if self._live.full:
            raise CapacityReached(
                f"{self._max_envs} envs are open, the most this server holds: delete one (GET /envs?status=open lists "
                "them), or try again later",
                retry_after_s=RETRY_AFTER_S,
            )

    def now(self) -> datetime:
        """The moment, by the clock that envs expire by."""
        return self._now()

    def until(self, ttl_s: float, so_far: datetime | None = None) -> datetime:
        """When an env expires that is left alone from now on: as ``so_far``, if that is no earlier.

        A time that has to be moved is moved on by a little more, so that not every step has to write it.
        """
        least = self._now() + timedelta(seconds=ttl_s)
        if so_far is None or so_far >= least:
            return so_far or least
        return least + timedelta(seconds=ttl_s * _STRIDE)

    async def reap(self) -> int:
        """End the envs whose time is over; how many there were."""
        now = self._now()
        for env_id, env in self._live.idle():
            if env.row is not None and env.row.expires_at <= now:
                async with self.hold(env_id):
                    pass  # to look at it is to end it
        return await self._expire(now)

    async def close(self) -> None:
        """Let go of every session. The envs stay open: another process can go on with them."""
        await self._live.close()

    # ---- what other replicas are told, and tell

    def on_taken(self, taken: Callable[[str], None]) -> None:
        """Have ``taken`` called with each env that comes into memory here."""
        self._taken = taken

    def holds(self, env_id: str) -> bool:
        """Whether the env is in memory here."""
        return env_id in self._live

    def held(self) -> list[str]:
        """The envs in memory here."""
        return self._live.ids()

    async def let_go(self, env_id: str) -> None:
        """Put an env down that another server goes on with; one that is in use here this moment is kept."""
        if self._live.is_idle(env_id):
            async with self._live.hold(env_id) as env:
                env.stale = True

    # ---- one env

    async def _expire(self, now: datetime) -> int:
        ended = await self._repository.expire(now)
        self._metrics.reaped.labels("env").inc(ended)
        return ended

    async def _read(self, env_id: str) -> EnvRow:
        row = await self._repository.get(env_id)
        if row is None:
            raise _unknown(env_id)
        return row

    async def _refresh(self, env: LiveEnv, known: EnvRow) -> EnvRow:
        """Compare what is in memory with the database, which is right."""
        try:
            row = env.row = await self._read(known.id)
        except NotFound:
            env.stale = True
            raise
        if (row.episode, row.steps, row.status) != (known.episode, known.steps, known.status):
            await env.close()
            env.episode, env.step_ids = None, {}
        return row


class Hold:
    """``async with`` an env and its row. A class, for a step pays for it."""

    __slots__ = ("_env_id", "_fresh", "_held", "_keeper")

    def __init__(self, keeper: Keeper, held: Held, env_id: str, fresh: bool) -> None:
        self._keeper, self._held, self._env_id, self._fresh = keeper, held, env_id, fresh

    async def __aenter__(self) -> tuple[LiveEnv, EnvRow]:
        """Wait for it and look how it stands."""
        env = await self._held.__aenter__()
        try:
            return env, await self._keeper.look(env, self._env_id, fresh=self._fresh)
        except BaseException:
            await self._held.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._held.__aexit__()


def refuse_if_expired(row: EnvRow) -> None:
    """Raises Gone for an env whose time was over before it was asked for."""
    if row.status == "expired":
        raise Gone(f"env {row.id} has expired, {row.ttl_s:g} s after its last call: make another")


def _unknown(env_id: str) -> NotFound:
    return NotFound(f"no env {env_id!r}: POST /envs makes one")
