"""What the routes under ``/envs`` do."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from astra_proto.envs import CreateEnv, EnvView, ForkEnv, RegradeEnv, ResetEnv, StepEnv
from astra_proto.episodes import EpisodeView, RegradeReply, StepRecord
from astra_proto.errors import Conflict, Invalid
from astra_proto.pages import Page
from astra_proto.tiers import Capacity
from astra_service import cursors

from astra_env_server.access.caller import current
from astra_env_server.access.quotas import Quotas
from astra_env_server.arenas.playable import Playable
from astra_env_server.arenas.service import Arenas
from astra_env_server.distractors.draw import Distractors
from astra_env_server.distractors.offered import counts, offered, stored
from astra_env_server.envs import replies
from astra_env_server.envs.changes import state_after
from astra_env_server.envs.keeper import Keeper, refuse_if_expired
from astra_env_server.envs.log_entry import StepLog
from astra_env_server.envs.player import Player
from astra_env_server.envs.regrade import regrade
from astra_env_server.envs.repository import EnvRepository, EnvRow, Wanted
from astra_env_server.metrics import Metrics
from astra_env_server.sandbox.base import Sandbox
from astra_env_server.scoring.f1 import Tally


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
        self._repository, self._arenas, self._sandbox = repository, arenas, sandbox
        self._distractors, self._max_envs = distractors, max_envs
        self.keeper = Keeper(repository, metrics, quotas, max_envs=max_envs, now=now)
        """Those in memory."""
        self._player = Player(
            self.keeper, repository, step_log, arenas, sandbox, metrics, quotas, step_timeout_s=step_timeout_s
        )

    # ---- making and looking

    async def create(self, request: CreateEnv, env_id: str | None = None) -> EnvView:
        """A new env, not yet reset, named so or by chance. Raises NotFound, Invalid, Conflict, CapacityReached."""
        arena = await self._arenas.playable(request.arena_id)
        if request.final_answer and arena.spec.final_answer is None:
            raise Invalid(f"body.final_answer: arena {arena.id} has no final answer to judge by: leave it false")
        self._player.refuse_if_weaker(request.min_isolation)
        self.keeper.refuse_if_full()
        drawn = await self._distractors.draw(arena, request.distractors, request.seed)
        caller = current()
        row = EnvRow(
            id=env_id or _new_id(),
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
            created_at=self.keeper.now(),
            expires_at=self.keeper.until(request.ttl_s),
            tenant=caller.tenant,
            key_id=caller.key_id,
            distractors=stored(drawn),
        )
        if self.keeper.holds(row.id):
            raise Conflict(f"there is an env {row.id} already")
        self._player.prepare(arena)
        async with self.keeper.place(row):
            await self._repository.add(row)
        return self._view(row)

    async def view(self, env_id: str) -> EnvView:
        """The env as it stands."""
        async with self.keeper.hold(env_id, fresh=True) as (_, row):
            return self._view(row)

    async def page(self, status: str | None, arena_id: str | None, cursor: str | None, limit: int) -> Page[EnvView]:
        """A page of those that the caller may use, by id."""
        wanted = Wanted(*current().scope(), status=status, arena_id=arena_id)
        after = cursors.after(cursor)
        rows = await self._repository.page(wanted, self.keeper.now(), after=after, limit=limit + 1)
        return cursors.page([self._view(row) for row in rows], limit, lambda env: env.id)

    async def arena(self, env_id: str) -> Playable:
        """What the env is an instance of: its tools and its prompt."""
        async with self.keeper.hold(env_id) as (_, row):
            return offered(await self._arenas.playable(row.arena_id), row.distractors, row.seed)

    async def capacity(self) -> Capacity:
        """How much room there is."""
        stats = await self._sandbox.stats()
        return Capacity(
            isolation=stats.tier,
            isolation_scope=stats.scope,
            envs=len(self.keeper),
            max_envs=self._max_envs,
            runners=stats.runners,
            max_runners=stats.max_runners,
        )

    # ---- playing

    async def begin(self, env_id: str, request: ResetEnv) -> tuple[Playable, Tally]:
        """Begin an episode, for a protocol with replies of its own. Raises Gone, CapacityReached, Unavailable."""
        return await self._player.begin(env_id, request)

    async def begin_if_new(self, env_id: str) -> None:
        """Begin the first episode, for a protocol that has no reset. Raises as ``begin`` does."""
        async with self.keeper.hold(env_id) as (_, row):
            begun = row.episode > 0
        if not begun:
            await self.begin(env_id, ResetEnv())

    async def reset(self, env_id: str, request: ResetEnv) -> bytes:
        """Begin an episode; the reply as JSON. Raises as ``begin`` does."""
        return replies.reset_reply(*await self.begin(env_id, request))

    async def take(self, env_id: str, request: StepEnv) -> dict[str, Any]:
        """Take a step, for a protocol with replies of its own: the line of the log. Raises as ``step`` does."""
        return await self._player.take(env_id, request)

    async def step(self, env_id: str, request: StepEnv) -> bytes:
        """Take a step, or give the stored reply to one already taken. Raises Gone, Conflict, CapacityReached."""
        return replies.step_reply(await self._player.take(env_id, request))

    # ---- an episode that was played

    async def trajectory(self, env_id: str) -> EpisodeView:
        """The present episode, from its log."""
        row, arena, records = await self._played(env_id)
        return EpisodeView(
            env_id=env_id,
            arena_id=row.arena_id,
            episode=row.episode,
            seed=row.seed,
            messages=replies.conversation(arena, records),
            steps=records,
            state=None if arena.spec.state is None else state_after(arena.spec.state, records),
        )

    async def regrade(self, env_id: str, request: RegradeEnv) -> RegradeReply:
        """The present episode, scored anew from its log. Raises NotFound, Invalid."""
        row, arena, records = await self._played(env_id)
        return regrade(arena, row, records, request)

    async def fork(self, env_id: str, request: ForkEnv) -> EnvView:
        """A new env with the first steps of the env's episode behind it. Raises Gone, Conflict, CapacityReached."""
        async with self.keeper.hold(env_id, fresh=True) as (env, source):
            refuse_if_expired(source)
            if source.episode == 0:
                raise Conflict(f"env {env_id} was not reset yet: there is nothing to fork")
            at = source.steps if request.at_step is None else request.at_step
            if at > source.steps:
                raise Invalid(f"body.at_step: the episode has {source.steps} steps: take one of them, or leave it out")
            self.keeper.refuse_if_full()
            row = replace(
                source,
                id=_new_id(),
                status=source.status if at == source.steps else "open",
                episode=1,
                steps=at,
                created_at=self.keeper.now(),
                expires_at=self.keeper.until(source.ttl_s),
                key_id=current().key_id,
            )
            async with self.keeper.place(row):
                if not await self._repository.copy(row, env_id, source.episode):
                    env.stale = True
                    raise Conflict(f"env {env_id} is being moved on by another server")
        return self._view(row)

    async def delete(self, env_id: str) -> None:
        """End the env and forget its log."""
        async with self.keeper.hold(env_id) as (env, _):
            await self._repository.remove(env_id)
            env.row = None

    async def _played(self, env_id: str) -> tuple[EnvRow, Playable, list[StepRecord]]:
        async with self.keeper.hold(env_id, fresh=True) as (_, row):
            lines = await self._repository.log(env_id, row.episode)
            arena = await self._arenas.playable(row.arena_id)
        return row, arena, [StepRecord.model_validate_json(line.record) for line in lines]

    def _view(self, row: EnvRow) -> EnvView:
        return EnvView(**(vars(row) | {"distractors": counts(row.distractors)}), isolation=self._sandbox.tier)


def _new_id() -> str:
    return f"env_{uuid.uuid4().hex}"
