"""The step log on Postgres."""

import asyncio
import contextlib
from collections.abc import Sequence

import asyncpg
import structlog
from astra_service.database import Database
from astra_service.outage import outage

from astra_env_server.envs.log_entry import Beginning, Entry, Move, StepRow, Wrote, fail, settle

log = structlog.get_logger()

_WRITE = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::timestamptz[]
    ) AS t (env_id, episode, "index", seed, step_id, digest, record, replayed, status, expires_at)
), here AS (
    SELECT e.id FROM env_server_envs AS e JOIN given AS g ON e.id = g.env_id
    WHERE e.episode = g.episode AND e.status = 'open' AND (g."index" = 1 OR EXISTS (
        SELECT FROM env_server_steps AS s
        WHERE s.env_id = g.env_id AND s.episode = g.episode AND s."index" = g."index" - 1
    ))
    FOR KEY SHARE OF e
), added AS (
    INSERT INTO env_server_steps (env_id, episode, "index", seed, step_id, digest, record, replayed)
    SELECT g.env_id, g.episode, g."index", g.seed, g.step_id, g.digest, g.record, g.replayed
    FROM given AS g JOIN here ON here.id = g.env_id
    ON CONFLICT (env_id, episode, "index") DO NOTHING
    RETURNING env_id
), moved AS (
    UPDATE env_server_envs AS e SET status = g.status, expires_at = g.expires_at
    FROM given AS g JOIN added ON added.env_id = g.env_id
    WHERE e.id = g.env_id AND e.episode = g.episode AND g.status IS NOT NULL
)
SELECT env_id FROM added
"""
_BEGIN = """
UPDATE env_server_envs AS e
SET episode = g.before + 1, seed = g.seed, status = 'open', expires_at = g.expires_at
FROM unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[]) AS g (env_id, before, seed, expires_at)
WHERE e.id = g.env_id AND e.episode = g.before AND e.status <> 'expired'
RETURNING e.id
"""
PATIENCE_S = 30.0
"""How long a group of steps may take to be written."""
_NOT_THE_DRIVERS = {"prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback"}
"""Options of a URL that SQLAlchemy keeps for itself."""
_GONE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver, of a connection that it has been told is ending
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)


class PostgresStepLog:
    """One statement, which is a transaction, for all steps that became ready while the one before was under way."""

    def __init__(self, database: Database, wrote: Wrote) -> None:
        self._wrote = wrote
        _, options = database.engine.dialect.create_connect_args(database.engine.url)
        self._options = {name: value for name, value in options.items() if name not in _NOT_THE_DRIVERS}
        self._connection: asyncpg.Connection | None = None
        self._waiting: list[Entry] = []
        self._writer: asyncio.Task[None] | None = None

    async def append(self, row: StepRow, move: Move | None) -> bool:
        """See StepLog."""
        return await self._append(row, move)

    async def begin(self, row: Beginning) -> bool:
        """See StepLog."""
        return await self._append(row, None)

    async def close(self) -> None:
        """See StepLog."""
        if self._writer is not None:
            await self._writer
        if self._connection is not None:
            with contextlib.suppress(*_GONE, TimeoutError):
                await self._connection.close(timeout=5)

    async def _append(self, row: StepRow | Beginning, move: Move | None) -> bool:
        loop = asyncio.get_running_loop()
        entry = Entry(row, move, loop.create_future())
        self._waiting.append(entry)
        if self._writer is None:
            self._writer = loop.create_task(self._write_all())
        return await entry.written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                entries, self._waiting = _one_each(self._waiting)
                for kind in (Beginning, StepRow):
                    await self._write([e for e in entries if isinstance(e.row, kind) and not e.written.done()])
        finally:
            self._writer = None

    async def _write(self, entries: list[Entry]) -> None:
        if not entries:
            return
        try:
            written = await self._execute(entries)
        except (*_GONE, TimeoutError) as error:
            # Whether it was committed nobody knows; a retry with the same step_id finds out.
            log.warning("step_log.failed", error=repr(error), steps=len(entries))
            await self._hang_up()
            fail(entries, outage(error) or error)
        except Exception as error:
            if len(entries) == 1:
                fail(entries, error)
                return
            for entry in entries:  # one must not take the others with it
                await self._write([entry])
        else:
            self._wrote(len(entries))
            settle(entries, [entry.row.env_id in written for entry in entries])

    async def _execute(self, entries: Sequence[Entry]) -> set[str]:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await asyncpg.connect(**self._options, timeout=PATIENCE_S)
        beginnings = [entry.row for entry in entries if isinstance(entry.row, Beginning)]
        rows = [entry.row for entry in entries if isinstance(entry.row, StepRow)]
        if beginnings:
            begun = await connection.fetch(
                _BEGIN,
                [row.env_id for row in beginnings],
                [row.before for row in beginnings],
                [row.seed for row in beginnings],
                [row.expires_at for row in beginnings],
                timeout=PATIENCE_S,
            )
            return {record["id"] for record in begun}
        found = await connection.fetch(
            _WRITE,
            [row.env_id for row in rows],
            [row.episode for row in rows],
            [row.index for row in rows],
            [row.seed for row in rows],
            [row.step_id for row in rows],
            [row.digest for row in rows],
            [row.record for row in rows],
            [row.replayed for row in rows],
            [entry.move and entry.move.status for entry in entries],
            [entry.move and entry.move.expires_at for entry in entries],
            timeout=PATIENCE_S,
        )
        return {record["env_id"] for record in found}

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _one_each(waiting: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The first entry of each env, and what has to wait for it: a statement tells of an env, not of its entries."""
    first: dict[str, Entry] = {}
    later = [entry for entry in waiting if first.setdefault(entry.row.env_id, entry) is not entry]
    return list(first.values()), later
