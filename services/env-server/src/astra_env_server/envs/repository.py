"""Envs and their steps in the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from astra_service.database import Database
from sqlalchemy import delete, func, insert, literal, select, update

from astra_env_server.envs.log_entry import StepRow
from astra_env_server.models import envs, steps


@dataclass(frozen=True)
class EnvRow:
    """An env as it is stored."""

    id: str
    arena_id: str
    status: str
    episode: int
    seed: int
    steps: int
    """Taken in this episode: told by its log, not stored."""
    max_steps: int
    ttl_s: float
    reward_mode: str
    final_answer: bool
    created_at: datetime
    expires_at: datetime
    score: str = "f1"
    tenant: str = "default"
    key_id: str | None = None
    """The key it was made with; none for the root token."""
    min_isolation: str | None = None
    """The least that its tools may run in; None asks for nothing."""
    distractors: str | None = None
    """Tools that were drawn for it, as JSON."""

    def moved(self, steps: int, status: str, expires_at: datetime) -> "EnvRow":
        """The same after a step. By hand, for ``dataclasses.replace`` goes through every field, and a step pays."""
        row = object.__new__(EnvRow)
        row.__dict__.update(self.__dict__, steps=steps, status=status, expires_at=expires_at)
        return row


_TAKEN = func.coalesce(
    select(func.max(steps.c.index))
    .where(steps.c.env_id == envs.c.id, steps.c.episode == envs.c.episode)
    .scalar_subquery(),
    0,
).label("steps")


def _stored(row: EnvRow) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "steps"}


@dataclass(frozen=True)
class Wanted:
    """Which envs a listing is of: all that have every value that is given."""

    tenant: str | None = None
    key_id: str | None = None
    status: str | None = None
    arena_id: str | None = None


class EnvRepository:
    """Reads and writes envs. A write says what it takes the env to be; False means that it is not so any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: EnvRow) -> None:
        """Store a new env."""
        async with self._database.writing() as connection:
            await connection.execute(insert(envs), _stored(row))

    async def copy(self, row: EnvRow, source: str, episode: int) -> bool:
        """Store a new env with as many steps of the other's episode as it says. False if there are not so many."""
        changed: dict[str, Any] = {"env_id": literal(row.id), "episode": literal(row.episode)}
        prefix = select(*[changed.get(column.name, column) for column in steps.c]).where(
            steps.c.env_id == source, steps.c.episode == episode, steps.c.index <= row.steps
        )
        async with self._database.writing() as connection:
            await connection.execute(insert(envs), _stored(row))
            added = await connection.execute(insert(steps).from_select([column.name for column in steps.c], prefix))
            if added.rowcount == row.steps:
                return True
            await connection.rollback()
            return False

    async def get(self, env_id: str) -> EnvRow | None:
        """The env, or None."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(envs, _TAKEN).where(envs.c.id == env_id))).first()
        return EnvRow(**found._mapping) if found else None

    async def page(self, wanted: Wanted, now: datetime, *, after: str, limit: int) -> list[EnvRow]:
        """Envs by id. One whose time is over by ``now`` has expired, whether or not that is stored yet."""
        over = (envs.c.status == "open") & (envs.c.expires_at <= now)
        query = select(envs, _TAKEN).where(envs.c.id > after).order_by(envs.c.id).limit(limit)
        for name in ("tenant", "key_id", "arena_id"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(envs.c[name] == value)
        if wanted.status == "open":
            query = query.where(envs.c.status == "open", ~over)
        elif wanted.status == "expired":
            query = query.where((envs.c.status == "expired") | over)
        elif wanted.status is not None:
            query = query.where(envs.c.status == wanted.status)
        async with self._database.reading() as connection:
            found = [EnvRow(**row._mapping) for row in await connection.execute(query)]
        return [replace(r, status="expired") if r.status == "open" and r.expires_at <= now else r for r in found]

    async def log(self, env_id: str, episode: int) -> Sequence[StepRow]:
        """The steps of an episode, in order."""
        query = select(steps).where(steps.c.env_id == env_id, steps.c.episode == episode).order_by(steps.c.index)
        async with self._database.reading() as connection:
            return [StepRow(**row._mapping) for row in await connection.execute(query)]

    async def record(self, env_id: str, episode: int, step_id: str) -> str | None:
        """The record of the step of that name, or None; also None when that episode is over and another begun."""
        query = (
            select(steps.c.record)
            .join(envs, (envs.c.id == steps.c.env_id) & (envs.c.episode == steps.c.episode))
            .where(steps.c.env_id == env_id, steps.c.episode == episode, steps.c.step_id == step_id)
        )
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def expire(self, now: datetime) -> int:
        """Mark every open env whose time is over; how many there were."""
        statement = update(envs).where(envs.c.status == "open", envs.c.expires_at <= now).values(status="expired")
        async with self._database.writing() as connection:
            return (await connection.execute(statement)).rowcount

    async def count_open(self, key_id: str) -> int:
        """How many envs that were made with the key are open."""
        query = select(func.count()).select_from(envs).where(envs.c.key_id == key_id, envs.c.status == "open")
        async with self._database.reading() as connection:
            return (await connection.execute(query)).scalar_one()

    async def remove(self, env_id: str) -> None:
        """Forget an env and its log."""
        async with self._database.writing() as connection:
            await connection.execute(delete(steps).where(steps.c.env_id == env_id))
            await connection.execute(delete(envs).where(envs.c.id == env_id))
