"""What the routes under ``/envs`` do."""

import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from astra_proto.envs import (
    Capacity,
    CreateEnv,
    EnvView,
    EpisodeView,
    ErrorClass,
    ForkEnv,
    Isolation,
    RegradeEnv,
    RegradeReply,
    ResetEnv,
    StepEnv,
    StepRecord,
)
from astra_proto.errors import CapacityReached, Conflict, Gone, Invalid, NotFound, Unavailable, WeakIsolation
from astra_service import tracing

from astra_env_server.access.caller import current
from astra_env_server.access.quotas import Quotas
from astra_env_server.arenas.playable import Playable
from astra_env_server.arenas.service import Arenas
from astra_env_server.distractors.draw import Distractors
from astra_env_server.distractors.offered import counts, offered, stored
from astra_env_server.envs import replies
from astra_env_server.envs.episode import Episode
from astra_env_server.envs.live import LiveEnv, LiveEnvs
from astra_env_server.envs.log_entry import StepLog, StepRow
from astra_env_server.envs.play import play
from astra_env_server.envs.regrade import regrade
from astra_env_server.envs.repository import EnvRepository, EnvRow
from astra_env_server.metrics import Metrics
from astra_env_server.sandbox.base import Sandbox, SandboxError, SandboxFull, Session
from astra_env_server.scoring.f1 import Tally

log = structlog.get_logger()

_RETRY_AFTER_S = 1
_TRIES = 3


class Stale(Exception):
    """Another process has moved the env on since it was read."""


class Envs:
    """Creates, plays and ends envs. An env that is not in memory is rebuilt from the database."""

    def __init__(
        self,
        repository: EnvRepository,
        step_log: StepLog,
        arenas: Arenas,
        sandbox: Sandbox,
        metrics: Metrics,
        quotas: Quotas,
        distractors: Distractors,
        *,
        max_envs: int,
        step_timeout_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self._repository, self._log, self._arenas = repository, step_log, arenas
        self._sandbox, self._metrics = sandbox, metrics
        self._quotas, self._distractors = quotas, distractors
        self._max_envs, self._step_timeout_s, self._now = max_envs, step_timeout_s, now
        self._live = LiveEnvs(max_envs)
        self._taken: Callable[[str], None] = lambda env_id: None
        metrics.envs.set_function(lambda: len(self._live))

    async def create(self, request: CreateEnv, env_id: str | None = None) -> EnvView:
        """A new env, not yet reset, named so or by chance. Raises NotFound, Invalid, Conflict, CapacityReached."""
        arena = await self._arenas.playable(request.arena_id)
        if request.final_answer and arena.spec.final_answer is None:
            raise Invalid(f"body.final_answer: arena {arena.id} has no final answer to judge by: leave it false")
        self._refuse_if_weaker(request.min_isolation)
        self._refuse_if_full()
        drawn = await self._distractors.draw(arena, request.distractors, request.seed)
        caller, now = current(), self._now()
        row = EnvRow(
            id=env_id or f"env_{uuid.uuid4().hex}",
            arena_id=arena.id,
            status="open",
            episode=0,
            seed=request.seed,
            steps=0,
            max_steps=request.max_steps,
            ttl_s=request.ttl_s,
            reward_mode=request.reward_mode.value,
            score=request.score.value,
            final_answer=request.final_answer,
            min_isolation=request.min_isolation,
            created_at=now,
            expires_at=now + timedelta(seconds=request.ttl_s),
            tenant=caller.tenant,
            key_id=caller.key_id,
            distractors=stored(drawn),
        )
        if row.id in self._live:
            raise Conflict(f"there is an env {row.id} already")
        async with self._place(row):
            await self._repository.add(row)
        return self._view(row)

    async def view(self, env_id: str) -> EnvView:
        """The env as it stands."""
        async with self._hold(env_id, fresh=True) as (_, row):
            return self._view(row)

    async def arena(self, env_id: str) -> Playable:
        """What the env is an instance of: its tools and its prompt."""
        async with self._hold(env_id) as (_, row):
            return offered(await self._arenas.playable(row.arena_id), row.distractors, row.seed)

    async def begin_if_new(self, env_id: str) -> None:
        """Begin the first episode, for a protocol that has no reset. Raises as ``reset`` does."""
        async with self._hold(env_id) as (_, row):
            begun = row.episode > 0
        if not begun:
            await self.begin(env_id, ResetEnv())

    async def reset(self, env_id: str, request: ResetEnv) -> bytes:
        """Begin an episode; the reply as JSON. Raises Gone, CapacityReached, Unavailable."""
        return replies.reset_reply(*await self.begin(env_id, request))

    async def begin(self, env_id: str, request: ResetEnv) -> tuple[Playable, Tally]:
        """Begin an episode, for a protocol with replies of its own. Raises as ``reset`` does."""
        if request.options:
            raise Invalid(f"body.options: {sorted(request.options)[:5]} are not known: no option is, leave them out")
        for _ in range(_TRIES):
            try:
                async with self._hold(env_id) as (env, row):
                    return await self._reset(env, row, request)
            except Stale:
                continue
        raise Conflict(f"env {env_id} is being moved on by another server")

    async def step(self, env_id: str, request: StepEnv) -> bytes:
        """Take a step, or give the stored reply to one already taken. Raises Gone, Conflict, CapacityReached."""
        return replies.step_reply(await self.take(env_id, request))

    async def take(self, env_id: str, request: StepEnv) -> dict[str, Any]:
        """Take a step, for a protocol with replies of its own: the line of the log. Raises as ``step`` does."""
        with tracing.span("env.step", env_id=env_id, step_id=request.step_id):
            return await self._take(env_id, request)

    async def _take(self, env_id: str, request: StepEnv) -> dict[str, Any]:
        began = time.perf_counter()
        if (caller := current()).steps_per_minute is not None:
            await self._quotas.step(caller)
        structlog.contextvars.bind_contextvars(env_id=env_id, step_id=request.step_id)
        action = request.action.model_dump_json().encode()
        digest = hashlib.sha256(action).hexdigest()
        fresh = False
        for _ in range(_TRIES):
            try:
                async with self._hold(env_id, fresh=fresh) as (env, row):
                    if (stored := await self._stored(env, row, request.step_id, digest)) is not None:
                        return stored
                    record = await self._step(env, row, request, action, digest)
                    arena = env.episode.arena if env.episode is not None else None
                if arena is not None:
                    seconds, spec = time.perf_counter() - began, arena.spec
                    self._metrics.step_took(seconds, self._sandbox.tier, spec.domain, spec.topology)
                return record
            except Stale:
                continue
            except Conflict:
                if fresh:
                    raise
                fresh = True  # by what is in memory; another server may have gone on since
        raise Conflict(f"env {env_id} is being moved on by another server")

    async def trajectory(self, env_id: str) -> EpisodeView:
        """The present episode, from its log."""
        async with self._hold(env_id, fresh=True) as (_, row):
            log_rows = await self._repository.log(env_id, row.episode)
            arena = await self._arenas.playable(row.arena_id)
        records = [StepRecord.model_validate_json(line.record) for line in log_rows]
        return EpisodeView(
            env_id=env_id,
            arena_id=row.arena_id,
            episode=row.episode,
            seed=row.seed,
            messages=replies.conversation(arena, records),
            steps=records,
        )

    async def fork(self, env_id: str, request: ForkEnv) -> EnvView:
        """A new env with the first steps of the env's episode behind it. Raises Gone, Conflict, CapacityReached."""
        async with self._hold(env_id, fresh=True) as (env, source):
            _refuse_if_expired(source)
            if source.episode == 0:
                raise Conflict(f"env {env_id} was not reset yet: there is nothing to fork")
            at = source.steps if request.at_step is None else request.at_step
            if at > source.steps:
                raise Invalid(f"body.at_step: the episode has {source.steps} steps: take one of them, or leave it out")
            self._refuse_if_full()
            row = replace(
                source,
                id=f"env_{uuid.uuid4().hex}",
                status=source.status if at == source.steps else "open",
                episode=1,
                steps=at,
                created_at=self._now(),
                expires_at=self._until(source),
                key_id=current().key_id,
            )
            async with self._place(row):
                if not await self._repository.copy(row, env_id, source.episode):
                    env.stale = True
                    raise Conflict(f"env {env_id} is being moved on by another server")
        async with self._live.hold(row.id):
            pass  # what is over is not kept
        return self._view(row)

    async def regrade(self, env_id: str, request: RegradeEnv) -> RegradeReply:
        """The present episode, scored anew from its log. Raises NotFound, Invalid."""
        async with self._hold(env_id, fresh=True) as (_, row):
            lines = await self._repository.log(env_id, row.episode)
            arena = await self._arenas.playable(row.arena_id)
        return regrade(arena, row, [StepRecord.model_validate_json(line.record) for line in lines], request)

    async def delete(self, env_id: str) -> None:
        """End the env and forget its log."""
        async with self._hold(env_id) as (env, _):
            await self._repository.remove(env_id)
            env.row = None

    def _refuse_if_weaker(self, least: Isolation | None) -> None:
        has = Isolation(self._sandbox.tier)
        if least is not None and not has.at_least(least):
            raise WeakIsolation(
                f"body.min_isolation: this server runs tools in `{has}`, which is less than `{least}`: "
                f"ask for `{has}` or less, or a server started with ISOLATION={least}",
                isolation=has.value,
            )

    async def capacity(self) -> Capacity:
        """How much room there is."""
        stats = await self._sandbox.stats()
        return Capacity(
            isolation=stats.tier,
            envs=len(self._live),
            max_envs=self._max_envs,
            runners=stats.runners,
            max_runners=stats.max_runners,
        )

    async def reap(self) -> int:
        """End the envs whose time is over; how many there were."""
        now = self._now()
        for env_id, env in self._live.idle():
            if env.row is not None and env.row.expires_at <= now:
                async with self._hold(env_id):
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

    @asynccontextmanager
    async def _hold(self, env_id: str, *, fresh: bool = False) -> AsyncIterator[tuple[LiveEnv, EnvRow]]:
        """The env locked and read; ``fresh``: as the database has it. What its time has run out of is marked so.

        What is in memory may be old, for another server may have gone on with the env. A step finds that out when it
        is written; whoever writes nothing has to look.
        """
        async with self._live.hold(env_id) as env:
            if env.row is None:
                env.row = await self._read(env_id)
                self._taken(env_id)
                await self._live.make_room()
            elif fresh or env.row.expires_at <= self._now():
                await self._refresh(env, env.row)
            if not current().may_use(env.row.tenant, env.row.key_id):
                raise _unknown(env_id)
            if env.row.status == "open" and env.row.expires_at <= self._now():
                await self._expire(self._now())
                env.row = replace(env.row, status="expired")
            yield env, env.row

    @asynccontextmanager
    async def _place(self, row: EnvRow) -> AsyncIterator[None]:
        """Room for a new env, taken before it is stored, given back if it is not."""
        self._live.add(row.id, LiveEnv(row=row))
        try:
            async with self._quotas.room(current(), row.key_id if row.status == "open" else None):
                yield
        except BaseException:
            async with self._live.hold(row.id) as env:
                env.stale = True
            raise
        self._taken(row.id)

    async def _expire(self, now: datetime) -> int:
        ended = await self._repository.expire(now)
        self._metrics.reaped.labels("env").inc(ended)
        return ended

    async def _read(self, env_id: str) -> EnvRow:
        row = await self._repository.get(env_id)
        if row is None:
            raise _unknown(env_id)
        return row

    async def _refresh(self, env: LiveEnv, known: EnvRow) -> None:
        """Compare what is in memory with the database, which is right."""
        try:
            env.row = await self._read(known.id)
        except NotFound:
            env.stale = True
            raise
        if (env.row.episode, env.row.steps, env.row.status) != (known.episode, known.steps, known.status):
            await env.close()
            env.episode, env.step_ids = None, {}

    async def _reset(self, env: LiveEnv, row: EnvRow, request: ResetEnv) -> tuple[Playable, Tally]:
        _refuse_if_expired(row)
        if row.status != "open" and self._live.full:
            self._refuse_if_full()
        seed = row.seed if request.seed is None else request.seed
        arena = offered(await self._arenas.playable(row.arena_id), row.distractors, seed)
        episode = self._episode(arena, replace(row, seed=seed))
        try:
            await self._start(episode)
            until = self._until(row)
            async with self._quotas.room(current(), row.key_id if row.status != "open" else None):
                begun = await self._repository.begin_episode(row.id, row.episode, seed, until)
            if not begun:
                env.stale = True
                raise Stale
        except BaseException:
            await episode.close()
            raise
        await env.close()
        env.row = replace(row, status="open", episode=row.episode + 1, seed=seed, steps=0, expires_at=until)
        env.episode, env.step_ids = episode, {}
        return arena, episode.tally

    async def _start(self, episode: Episode) -> None:
        for last in (False, True):
            try:
                return await episode.start()
            except SandboxFull as error:
                raise CapacityReached(f"no room in the sandbox: {error}", retry_after_s=_RETRY_AFTER_S) from error
            except SandboxError as error:
                if last:
                    raise Unavailable(f"the sandbox does not open a session: {error}") from error

    async def _step(self, env: LiveEnv, row: EnvRow, request: StepEnv, action: bytes, digest: str) -> dict[str, Any]:
        _refuse_if_expired(row)
        if row.status != "open":
            raise Conflict(f"the episode of env {row.id} is over: reset it to begin another")
        if row.episode == 0:
            raise Conflict(f"env {row.id} was not reset yet: POST /envs/{row.id}/reset begins its first episode")
        if env.episode is None:
            await self._rebuild(env, row)
            if request.step_id in env.step_ids:
                raise Stale  # it was not known a moment ago: look again
        assert env.episode is not None
        episode, mark = env.episode, env.episode.mark()
        try:
            step = await play(episode, row, request, action, self._step_timeout_s)
            record = step.record()
            moved = replace(
                row, steps=step.index, status="done" if step.reason else "open", expires_at=self._until(row)
            )
            line = StepRow(
                env_id=row.id,
                episode=row.episode,
                index=step.index,
                seed=row.seed,
                step_id=step.step_id,
                digest=digest,
                record=orjson.dumps(record).decode(),
                replayed=orjson.dumps([result.replayed for result in step.results]).decode(),
            )
            if not await self._log.append(line, moved.status, moved.expires_at):
                env.stale = True
                raise Stale
        except SandboxFull as error:
            await episode.undo(mark)
            raise CapacityReached(f"no room in the sandbox: {error}", retry_after_s=_RETRY_AFTER_S) from error
        except BaseException:
            await episode.undo(mark)
            raise
        env.row = moved
        if step.step_id is not None:
            env.step_ids[step.step_id] = digest
        self._metrics.steps.labels(step.error or "none").inc()
        if step.error is ErrorClass.INFRA:
            self._metrics.infra_failures.inc()
        return record

    async def _stored(self, env: LiveEnv, row: EnvRow, step_id: str | None, digest: str) -> dict[str, Any] | None:
        """The record of a step of this name that was taken before."""
        if step_id is None or row.episode == 0:
            return None
        if env.episode is None:
            await self._recall_names(env, row)
        known = env.step_ids.get(step_id)
        if known is None:
            return None
        if known != digest:
            raise Conflict(f"step_id {step_id!r} names a step with another action: give each step a name of its own")
        record = await self._repository.record(row.id, row.episode, step_id)
        if record is None:
            env.stale = True
            raise Stale
        found: dict[str, Any] = orjson.loads(record)
        return found

    async def _recall_names(self, env: LiveEnv, row: EnvRow) -> None:
        lines = await self._repository.log(row.id, row.episode)
        env.step_ids = {line.step_id: line.digest for line in lines if line.step_id is not None}

    async def _rebuild(self, env: LiveEnv, row: EnvRow) -> None:
        """The episode from its log; its session is opened, and goes through it all, when it is next needed."""
        lines = await self._repository.log(row.id, row.episode)
        arena = offered(await self._arenas.playable(row.arena_id), row.distractors, row.seed)
        episode = self._episode(arena, row)
        for line in lines:
            episode.recall(StepRecord.model_validate_json(line.record), orjson.loads(line.replayed))
        env.episode = episode
        env.step_ids = {line.step_id: line.digest for line in lines if line.step_id is not None}
        self._metrics.replays.inc()
        log.info("env.rebuilt", env_id=row.id, steps=len(lines))

    def _episode(self, arena: Playable, row: EnvRow) -> Episode:
        # Asked again: the env may have been made by a server that had more.
        self._refuse_if_weaker(Isolation(row.min_isolation) if row.min_isolation else None)
        return Episode(
            arena,
            row.seed,
            final_answer=row.final_answer,
            replay_timeout_s=self._step_timeout_s,
            open_session=self._open_session,
        )

    async def _open_session(self, arena: Playable, seed: int) -> Session:
        self._metrics.forks.inc()
        return await self._sandbox.open(arena.bundle, seed)

    def _until(self, row: EnvRow) -> datetime:
        return self._now() + timedelta(seconds=row.ttl_s)

    def _refuse_if_full(self) -> None:
        if self._live.full:
            raise CapacityReached(
                f"{self._max_envs} envs are open, the most this server holds: delete one, or try again later",
                retry_after_s=_RETRY_AFTER_S,
            )

    def _view(self, row: EnvRow) -> EnvView:
        return EnvView(**(vars(row) | {"distractors": counts(row.distractors)}), isolation=self._sandbox.tier)


def _unknown(env_id: str) -> NotFound:
    """Also what is said of an env that the caller may not know of."""
    return NotFound(f"no env {env_id!r}: POST /envs makes one")


def _refuse_if_expired(row: EnvRow) -> None:
    if row.status == "expired":
        raise Gone(f"env {row.id} has expired, {row.ttl_s:g} s after its last call: make another")
