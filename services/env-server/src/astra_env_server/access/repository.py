"""Keys in the database, without their secrets."""

from dataclasses import dataclass
from datetime import datetime

from astra_service.database import Database
from sqlalchemy import insert, select, update

from astra_env_server.models import keys


@dataclass(frozen=True)
class KeyRow:
    """A key as it is stored."""

    id: str
    hash: str
    tenant: str
    role: str
    name: str
    max_envs: int | None
    steps_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyRepository:
    """Reads and writes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: KeyRow) -> None:
        """Store a new key."""
        async with self._database.writing() as connection:
            await connection.execute(insert(keys), vars(row))

    async def get(self, key_id: str) -> KeyRow | None:
        """The key, or None."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(keys).where(keys.c.id == key_id))).first()
        return KeyRow(**found._mapping) if found else None

    async def page(self, tenant: str | None, after: str, limit: int) -> list[KeyRow]:
        """Keys by id."""
        query = select(keys).where(keys.c.id > after).order_by(keys.c.id).limit(limit)
        if tenant is not None:
            query = query.where(keys.c.tenant == tenant)
        async with self._database.reading() as connection:
            return [KeyRow(**row._mapping) for row in await connection.execute(query)]

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Make a key worth nothing from ``now`` on; one that is so already stays as it is."""
        statement = update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.writing() as connection:
            await connection.execute(statement)
