"""Playing envs: an episode begun, a step taken once however often it is sent, a lost episode rebuilt from its log."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import structlog
from astra_proto.envs import ResetEnv, StepEnv
from astra_proto.episodes import StepRecord
from astra_proto.errors import CapacityReached, Conflict, Invalid, Unavailable, WeakIsolation
from astra_proto.tiers import Isolation
from astra_service import tracing

from astra_env_server.access.caller import current
from astra_env_server.access.quotas import Quotas
from astra_env_server.arenas.playable import Playable
from astra_env_server.arenas.service import Arenas
from astra_env_server.distractors.offered import offered
from astra_env_server.envs.episode import Episode
from astra_env_server.envs.keeper import RETRY_AFTER_S, Keeper, refuse_if_expired
from astra_env_server.envs.live import LiveEnv
from astra_env_server.envs.log_entry import Beginning, Move, StepLog, StepRow
from astra_env_server.envs.play import play
from astra_env_server.envs.repository import EnvRepository, EnvRow
from astra_env_server.metrics import Metrics
from astra_env_server.sandbox.base import Sandbox, SandboxError, SandboxFull, Session
from astra_env_server.scoring.f1 import Tally

log = structlog.get_logger()

_TRIES = 3


class Stale(Exception):
    """Another process has moved the env on since it was read."""


class Player:
    """Begins episodes and takes steps, each durable before it is answered."""

    def __init__(
        self,
        keeper: Keeper,
        repository: EnvRepository,
        step_log: StepLog,
        arenas: Arenas,
        sandbox: Sandbox,
        metrics: Metrics,
        quotas: Quotas,
        *,
        step_timeout_s: float,
    ) -> None:
        self._keeper, self._repository, self._log = keeper, repository, step_log
        self._arenas, self._sandbox, self._metrics, self._quotas = arenas, sandbox, metrics, quotas
        self._step_timeout_s = step_timeout_s
        self._warming: set[asyncio.Task[None]] = set()

    async def begin(self, env_id: str, request: ResetEnv) -> tuple[Playable, Tally]:
        """Begin an episode. Raises NotFound, Gone, Invalid, Conflict, CapacityReached, Unavailable."""
        if request.options:
            raise Invalid(f"body.options: {sorted(request.options)[:5]} are not known: no option is, leave them out")
        for _ in range(_TRIES):
            try:
                async with self._keeper.hold(env_id) as (env, row):
                    return await self._reset(env, row, request)
            except Stale:
                continue
        raise Conflict(f"env {env_id} is being moved on by another server")

    async def take(self, env_id: str, request: StepEnv) -> dict[str, Any]:
        """Take a step, or find the one of that name: the line of the log. Raises as ``begin`` does."""
        with tracing.span("env.step", env_id=env_id, step_id=request.step_id):
            return await self._take(env_id, request)

    def prepare(self, arena: Playable) -> None:
        """Have the arena's code imported while an env of it is being stored: its first reset comes next."""
        task = asyncio.create_task(self._warm(arena))
        self._warming.add(task)
        task.add_done_callback(self._warming.discard)

    def refuse_if_weaker(self, least: Isolation | None) -> None:
        """Raises WeakIsolation if tools run in less than ``least`` here."""
        has = Isolation(self._sandbox.tier)
        if least is not None and not has.at_least(least):
            raise WeakIsolation(
                f"body.min_isolation: this server runs tools in `{has}`, which is less than `{least}`: "
                f"ask for `{has}` or less, or a server started with ISOLATION={least}",
                isolation=has.value,
            )

    # ---- beginning

    async def _reset(self, env: LiveEnv, row: EnvRow, request: ResetEnv) -> tuple[Playable, Tally]:
        refuse_if_expired(row)
        if row.status != "open":
            self._keeper.refuse_if_full()
        seed = row.seed if request.seed is None else request.seed
        arena = offered(await self._arenas.playable(row.arena_id), row.distractors, seed)
        episode = self._episode(arena, replace(row, seed=seed))
        try:
            await _start(episode)
            until = self._keeper.until(row.ttl_s)
            async with self._quotas.room(current(), row.key_id if row.status != "open" else None):
                begun = await self._log.begin(Beginning(row.id, row.episode, seed, until))
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

    # ---- stepping

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
                async with self._keeper.hold(env_id, fresh=fresh) as (env, row):
                    lines = await self._recall(env, row)
                    if (stored := await self._stored(env, row, request.step_id, digest)) is not None:
                        return stored
                    record = await self._step(env, row, lines, request, action, digest)
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

    async def _recall(self, env: LiveEnv, row: EnvRow) -> Sequence[StepRow]:
        """The log of an episode that is not in memory, whose names are then known; nothing of one that is."""
        if env.episode is not None or row.episode == 0:
            return ()
        lines = await self._repository.log(row.id, row.episode)
        env.step_ids = {line.step_id: line.digest for line in lines if line.step_id is not None}
        return lines

    async def _stored(self, env: LiveEnv, row: EnvRow, step_id: str | None, digest: str) -> dict[str, Any] | None:
        """The record of a step of this name that was taken before."""
        known = None if step_id is None else env.step_ids.get(step_id)
        if step_id is None or known is None:
            return None
        if known != digest:
            raise Conflict(f"step_id {step_id!r} names a step with another action: give each step a name of its own")
        record = await self._repository.record(row.id, row.episode, step_id)
        if record is None:
            env.stale = True
            raise Stale
        found: dict[str, Any] = orjson.loads(record)
        return found

    async def _step(
        self, env: LiveEnv, row: EnvRow, lines: Sequence[StepRow], request: StepEnv, action: bytes, digest: str
    ) -> dict[str, Any]:
        refuse_if_expired(row)
        if row.status != "open":
            raise Conflict(f"the episode of env {row.id} is over: reset it to begin another")
        if row.episode == 0:
            raise Conflict(f"env {row.id} was not reset yet: POST /envs/{row.id}/reset begins its first episode")
        episode = env.episode
        if episode is None:
            episode = env.episode = await self._rebuilt(row, lines)
        mark = episode.mark()
        try:
            step = await play(episode, row, request, action, self._step_timeout_s)
            record = step.record()
            status, until = "done" if step.reason else "open", self._keeper.until(row.ttl_s, row.expires_at)
            move = None if status == row.status and until == row.expires_at else Move(status, until)
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
            if not await self._log.append(line, move):
                env.stale = True
                raise Stale
        except SandboxFull as error:
            await episode.undo(mark)
            raise CapacityReached(f"no room in the sandbox: {error}", retry_after_s=RETRY_AFTER_S) from error
        except BaseException:
            await episode.undo(mark)
            raise
        env.row = row.moved(step.index, status, until)
        if step.step_id is not None:
            env.step_ids[step.step_id] = digest
        self._metrics.step_ended(step.error)
        return record

    # ---- episodes and their sessions

    async def _rebuilt(self, row: EnvRow, lines: Sequence[StepRow]) -> Episode:
        """The episode from its log; its session is opened, and goes through it all, when it is next needed."""
        arena = offered(await self._arenas.playable(row.arena_id), row.distractors, row.seed)
        episode = self._episode(arena, row)
        for line in lines:
            episode.recall(StepRecord.model_validate_json(line.record), orjson.loads(line.replayed))
        self._metrics.replays.inc()
        log.info("env.rebuilt", env_id=row.id, steps=len(lines))
        return episode

    def _episode(self, arena: Playable, row: EnvRow) -> Episode:
        # Asked again: the env may have been made by a server that had more.
        self.refuse_if_weaker(Isolation(row.min_isolation) if row.min_isolation else None)
        return Episode(
            arena,
            row.seed,
            final_answer=row.final_answer,
            replay_timeout_s=self._step_timeout_s,
            open_session=self._open_session,
        )

    async def _warm(self, arena: Playable) -> None:
        with contextlib.suppress(SandboxError):  # the reset meets it too, and says so
            await self._sandbox.warm(arena.bundle)

    async def _open_session(self, arena: Playable, seed: int) -> Session:
        self._metrics.forks.inc()
        return await self._sandbox.open(arena.bundle, seed, arena.state)


async def _start(episode: Episode) -> None:
    for last in (False, True):
        try:
            return await episode.start()
        except SandboxFull as error:
            raise CapacityReached(f"no room in the sandbox: {error}", retry_after_s=RETRY_AFTER_S) from error
        except SandboxError as error:
            if last:
                raise Unavailable(f"the sandbox does not open a session: {error}") from error
