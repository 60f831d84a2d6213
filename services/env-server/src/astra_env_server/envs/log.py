"""The log of steps. It is written before a reply leaves, in groups: what is ready at once is one transaction."""

from astra_service.database import Database

from astra_env_server.envs.log_entry import StepLog, Wrote
from astra_env_server.envs.log_postgres import PostgresStepLog
from astra_env_server.envs.log_sqlite import SqliteStepLog


def open_step_log(database: Database, wrote: Wrote) -> StepLog:
    """The log that suits the database; ``wrote`` is told how many steps each commit held."""
    return SqliteStepLog(database, wrote) if database.is_sqlite else PostgresStepLog(database, wrote)
