"""One way to Postgres and to SQLite: engine, sessions, migrations, and the two statements that differ."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from alembic import command, context
from alembic.config import Config
from sqlalchemy import JSON, DateTime, Dialect, FromClause, MetaData, TypeDecorator, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON column: JSONB where there is one."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in time. SQLite forgets zones, so they are all UTC and are read back as such."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Database:
    """The service's own tables. One session is one transaction: it commits when its block ends well."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}
        self.engine = create_async_engine(url, **options)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        if self.is_sqlite:
            tune_sqlite(self.engine.sync_engine)
        self.turn = asyncio.Lock()
        """Held by the one who writes to SQLite: waiting here is fair and costs nothing, SQLite's own waiting is not."""
        self._reading = self.engine.execution_options(astra_reads=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on a bare connection: commits at the end of the block, rolls back if it raises."""
        if not self.is_sqlite:
            async with self.engine.begin() as connection:
                yield connection
            return
        async with self.turn, self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A bare connection to read with: on SQLite it waits for no writer."""
        async with self._reading.begin() as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A unit of work: commits at the end of the block, rolls back if it raises."""
        async with self._sessions.begin() as session:
            yield session

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def migrate(self, package: str, metadata: MetaData) -> None:
        """Bring the tables of ``package`` up to date, with the scripts in its ``migrations`` folder."""
        async with self.engine.connect() as connection:
            if not self.is_sqlite:  # several replicas may start at once
                await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": package})
            await connection.run_sync(_upgrade, package, metadata)
            await connection.commit()

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


def upsert(
    session: AsyncSession,
    table: FromClause,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    key: Sequence[str],
    *,
    replace: bool = False,
) -> Any:
    """An ``INSERT … ON CONFLICT (key) DO NOTHING`` for either database; with ``replace`` what is there is overwritten.

    Returns the statement, so that a caller may ask for ``.returning(...)``: it returns a row only if one was written.
    """
    dialect = session.get_bind().dialect.name
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values(values)
    if not replace:
        return statement.on_conflict_do_nothing(index_elements=list(key))
    others = {column.name: column for column in statement.excluded if column.name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=others)


def run_migrations(metadata: MetaData) -> None:
    """What every service's ``migrations/env.py`` calls."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=context.config.attributes["version_table"],
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _upgrade(connection: Connection, package: str, metadata: MetaData) -> None:
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = f"{package}_version"
    config.attributes["metadata"] = metadata
    command.upgrade(config, "head")


def tune_sqlite(engine: Engine) -> None:
    """Make an engine's connections write-ahead, patient, and honest about where a transaction begins."""
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _tune_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions behind our back: see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: two writers wait for each other, instead of one failing when it upgrades its read lock.
    reads = connection.get_execution_options().get("astra_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
