"""The step log on SQLite."""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import structlog
from astra_proto.errors import Unavailable
from astra_service.database import Database
from astra_service.outage import outage

from astra_env_server.envs.log_entry import Beginning, Entry, Move, StepRow, Wrote, fail, settle

log = structlog.get_logger()

CHECKPOINT_STEPS = 500
"""Steps between two moves of the write-ahead log into the database file."""
PATIENCE_S = 30.0
"""How long another writer may hold the database before a step is refused."""

_ADD = """
INSERT INTO env_server_steps (env_id, episode, "index", seed, step_id, digest, record, replayed)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM env_server_envs
WHERE id = ?1 AND episode = ?2 AND status = 'open' AND (?3 = 1 OR EXISTS (
    SELECT 1 FROM env_server_steps WHERE env_id = ?1 AND episode = ?2 AND "index" = ?3 - 1
))
ON CONFLICT (env_id, episode, "index") DO NOTHING
"""
_MOVE = "UPDATE env_server_envs SET status = ?, expires_at = ? WHERE id = ?"
_BEGIN = """
UPDATE env_server_envs SET episode = ?2 + 1, seed = ?3, status = 'open', expires_at = ?4
WHERE id = ?1 AND episode = ?2 AND status <> 'expired'
"""


class SqliteStepLog:
    """Commits on the event loop: what is ready in one turn of it is one transaction.

    In write-ahead mode with ``synchronous=NORMAL`` a commit is a few writes into the page cache, some 30 µs; to wake a
    thread and to be woken by it costs more than that. What could take longer is left to a thread: waiting for another
    writer, and checkpoints, which wait for the disk. A step that was committed survives the death of the process; a
    power cut may take those since the last checkpoint.
    """

    def __init__(self, database: Database, wrote: Wrote) -> None:
        self._wrote = wrote
        self._path = str(database.engine.url.database)
        self._turn = database.turn
        self._now = _connect(self._path, wait_s=0)
        self._patient: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="step-log")
        self._waiting: list[Entry] = []
        self._behind: asyncio.Task[None] | None = None
        self._patience_s = PATIENCE_S
        self._unmoved = 0
        self._checkpoint: asyncio.Future[None] | None = None

    async def append(self, row: StepRow, move: Move | None) -> bool:
        """See StepLog."""
        return await self._append(row, move)

    async def begin(self, row: Beginning) -> bool:
        """See StepLog."""
        return await self._append(row, None)

    async def close(self) -> None:
        """See StepLog."""
        if self._behind is not None:
            await self._behind
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_patient)
        self._thread.shutdown()
        self._now.close()

    async def _append(self, row: StepRow | Beginning, move: Move | None) -> bool:
        loop = asyncio.get_running_loop()
        entry = Entry(row, move, loop.create_future())
        self._waiting.append(entry)
        if len(self._waiting) == 1 and self._behind is None:
            loop.call_soon(self._flush)
        return await entry.written

    def _flush(self) -> None:
        entries = self._take()
        if entries and (self._turn.locked() or not self._written(entries)):
            self._behind = asyncio.ensure_future(self._catch_up(entries))

    def _take(self) -> list[Entry]:
        entries, self._waiting = self._waiting, []
        return [entry for entry in entries if not entry.written.done()]

    def _written(self, entries: list[Entry]) -> bool:
        """Write at once. False if the database is not to be had at present, and then nothing is written."""
        try:
            outcomes = _write(self._now, entries)
        except sqlite3.OperationalError:
            return False
        except Exception as error:
            if len(entries) == 1:
                fail(entries, error)
                return True
            alone = [entry for entry in entries if not self._written([entry])]  # one must not take the others with it
            fail(alone, Unavailable("the database is not to be had: try again", retry_after_s=1))
            return True
        settle(entries, outcomes)
        self._count(len(entries))
        return True

    async def _catch_up(self, entries: list[Entry]) -> None:
        """Write when our turn comes; what becomes ready meanwhile is written after it."""
        try:
            while entries:
                async with self._turn:
                    if not self._written(entries):
                        await self._written_patiently(entries)
                entries = self._take()
        finally:
            self._behind = None

    async def _written_patiently(self, entries: list[Entry]) -> None:
        """Another process is writing, or worse: a thread waits for it."""
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._write_patiently, entries)
        except Exception as error:
            log.error("step_log.failed", error=repr(error), steps=len(entries))
            fail(entries, outage(error) or error)
        else:
            settle(entries, outcomes)
            self._count(len(entries))

    def _write_patiently(self, entries: Sequence[Entry]) -> list[bool]:
        if self._patient is None:
            self._patient = _connect(self._path, wait_s=self._patience_s)
        return _write(self._patient, entries)

    def _count(self, steps: int) -> None:
        self._wrote(steps)
        self._unmoved += steps
        if self._unmoved >= CHECKPOINT_STEPS and (self._checkpoint is None or self._checkpoint.done()):
            self._unmoved = 0
            self._checkpoint = asyncio.get_running_loop().run_in_executor(self._thread, self._move)

    def _move(self) -> None:
        if self._patient is None:
            self._patient = _connect(self._path, wait_s=self._patience_s)
        try:
            self._patient.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            log.warning("step_log.checkpoint_failed", error=repr(error))

    def _close_patient(self) -> None:
        if self._patient is not None:
            self._patient.close()


def _connect(path: str, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    # Foreign keys stay off: the statement that adds a step finds its env, and need not look for it twice.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _write(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[bool]:
    """Write all in one transaction; for each, whether its env was where the step begins."""
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_write_one(connection, entry) for entry in entries]
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise
    return outcomes


def _write_one(connection: sqlite3.Connection, entry: Entry) -> bool:
    row, move = entry.row, entry.move
    if isinstance(row, Beginning):
        given = (row.env_id, row.before, row.seed, _moment(row.expires_at))
        return connection.execute(_BEGIN, given).rowcount == 1
    added = connection.execute(
        _ADD,
        (row.env_id, row.episode, row.index, row.seed, row.step_id, row.digest, row.record, row.replayed),
    )
    if added.rowcount != 1:
        return False
    if move is not None:
        connection.execute(_MOVE, (move.status, _moment(move.expires_at), row.env_id))
    return True


def _moment(at: datetime) -> str:
    """As SQLAlchemy writes it: the rest of the server reads it back."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
