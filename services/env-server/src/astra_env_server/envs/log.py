"""The log of steps. It is written before a reply leaves, so it is written in as few turns as the database allows."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from astra_service.database import Database, tune_sqlite
from sqlalchemy import bindparam, create_engine, insert, select, update
from sqlalchemy.pool import StaticPool

from astra_env_server.models import envs, steps


@dataclass(frozen=True)
class StepRow:
    """One line of an episode's log."""

    env_id: str
    episode: int
    index: int
    seed: int
    step_id: str | None
    digest: str
    record: str
    replayed: str


class StepLog(Protocol):
    """Adds steps to the logs of open envs."""

    async def append(self, row: StepRow, status: str, expires_at: datetime) -> bool:
        """Add a step and move its env on, in one transaction. False if the env is not where the step begins."""

    async def close(self) -> None:
        """Let go of what it holds."""


_MOVE = (
    update(envs)
    .where(
        envs.c.id == bindparam("at_env"),
        envs.c.episode == bindparam("at_episode"),
        envs.c.steps == bindparam("at_steps"),
        envs.c.status == "open",
    )
    .values(steps=bindparam("to_steps"), status=bindparam("to_status"), expires_at=bindparam("to_expires_at"))
)


def _parameters(row: StepRow, status: str, expires_at: datetime) -> dict[str, Any]:
    return {
        "at_env": row.env_id,
        "at_episode": row.episode,
        "at_steps": row.index - 1,
        "to_steps": row.index,
        "to_status": status,
        "to_expires_at": expires_at,
    }


class SqliteStepLog:
    """Writes from a thread of its own: the driver for asyncio changes threads a dozen times a transaction."""

    def __init__(self, database: Database) -> None:
        self._engine = create_engine(
            database.engine.url.set(drivername="sqlite"),
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
        tune_sqlite(self._engine)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="step-log")

    async def append(self, row: StepRow, status: str, expires_at: datetime) -> bool:
        """See StepLog."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._append, row, status, expires_at)

    def _append(self, row: StepRow, status: str, expires_at: datetime) -> bool:
        with self._engine.begin() as connection:
            if connection.execute(_MOVE, _parameters(row, status, expires_at)).rowcount != 1:
                return False
            connection.execute(insert(steps), vars(row))
        return True

    async def close(self) -> None:
        """See StepLog."""
        self._thread.shutdown()
        self._engine.dispose()


_MOVED = _MOVE.returning(envs.c.id).cte("moved")
_MOVE_AND_APPEND = insert(steps).from_select(
    [column.name for column in steps.c],
    select(*(bindparam(f"new_{column.name}", type_=column.type) for column in steps.c)).select_from(_MOVED),
)


class PostgresStepLog:
    """Writes with one statement, which is a transaction: one turn to the server and back."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def append(self, row: StepRow, status: str, expires_at: datetime) -> bool:
        """See StepLog."""
        new = {f"new_{name}": value for name, value in vars(row).items()}
        async with self._engine.connect() as connection:
            added = await connection.execute(_MOVE_AND_APPEND, _parameters(row, status, expires_at) | new)
        return added.rowcount == 1

    async def close(self) -> None:
        """See StepLog."""


def open_step_log(database: Database) -> StepLog:
    """The log that suits the database."""
    return SqliteStepLog(database) if database.is_sqlite else PostgresStepLog(database)
