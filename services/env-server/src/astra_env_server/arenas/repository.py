"""Arenas in the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from astra_service.database import Database, upsert
from sqlalchemy import select

from astra_env_server.models import arenas


@dataclass(frozen=True)
class ArenaRow:
    """An arena as it is stored: each part as JSON text."""

    id: str
    split: str
    domain: str
    spec: str
    view: str
    soundness: str
    demonstration: str
    created_at: datetime
    topology: str
    language: str
    hops: int


@dataclass(frozen=True)
class Wanted:
    """Which arenas a listing is of: all that have every value that is given."""

    split: str | None = None
    domain: str | None = None
    topology: str | None = None
    language: str | None = None
    min_hops: int | None = None
    max_hops: int | None = None


class ArenaRepository:
    """Arenas by id, and listings of one part of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: ArenaRow) -> bool:
        """Store it, unless it is there. True if it was not; safe when two do it at once."""
        async with self._database.session() as session:
            statement = upsert(session, arenas, vars(row), ["id"]).returning(arenas.c.id)
            return (await session.execute(statement)).first() is not None

    async def get(self, arena_id: str) -> ArenaRow | None:
        """The arena, or None."""
        async with self._database.session() as session:
            found = (await session.execute(select(arenas).where(arenas.c.id == arena_id))).first()
        return ArenaRow(**found._mapping) if found else None

    async def page(self, part: str, wanted: Wanted, *, after: str, limit: int) -> list[tuple[str, str]]:
        """``(id, part as JSON)`` of arenas, by id; ``part`` is the name of a column."""
        having: list[Any] = [arenas.c.id > after]
        for name in ("split", "domain", "topology", "language"):
            if (value := getattr(wanted, name)) is not None:
                having.append(arenas.c[name] == value)
        having += [arenas.c.hops >= wanted.min_hops] if wanted.min_hops is not None else []
        having += [arenas.c.hops <= wanted.max_hops] if wanted.max_hops is not None else []
        query = select(arenas.c.id, arenas.c[part]).where(*having).order_by(arenas.c.id).limit(limit)
        async with self._database.session() as session:
            return [(row[0], row[1]) for row in await session.execute(query)]
