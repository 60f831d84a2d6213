"""Solve rates in the database: one row an arena and policy, the newest."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from astra_proto.solve_rates import Measured, SolveRate, SolveRates
from astra_service.database import Database, upsert
from sqlalchemy import select

from astra_env_server.models import arenas, solve_rates

_AT_ONCE = 1_000
"""Rows a statement: databases take some ten thousand values in one."""


class SolveRateRepository:
    """Solve rates by arena."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, policy: str, source: str, measured: Mapping[str, Measured], at: datetime) -> list[str]:
        """Store what a policy reached, in place of what was stored of it. Returns the arenas that are not there."""
        ids = sorted(measured)  # in one order, so that two who do this at once do not wait for each other
        unknown: list[str] = []
        async with self._database.session() as session:
            for part in (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)):
                there = set(await session.scalars(select(arenas.c.id).where(arenas.c.id.in_(part))))
                unknown += [arena_id for arena_id in part if arena_id not in there]
                rows = [
                    {"arena_id": arena_id, "policy": policy, "source": source, "measured_at": at}
                    | measured[arena_id].model_dump()
                    for arena_id in part
                    if arena_id in there
                ]
                if rows:
                    await session.execute(upsert(session, solve_rates, rows, ["arena_id", "policy"], replace=True))
        return unknown

    async def of(self, arena_ids: Iterable[str]) -> dict[str, SolveRates]:
        """What is known of these arenas, by policy name; those of which nothing is are left out."""
        wanted = solve_rates.c.arena_id.in_(list(arena_ids))
        query = select(solve_rates).where(wanted).order_by(solve_rates.c.arena_id, solve_rates.c.policy)
        found: dict[str, SolveRates] = {}
        async with self._database.reading() as connection:
            for row in await connection.execute(query):
                told = dict(row._mapping)
                found.setdefault(told.pop("arena_id"), {})[told.pop("policy")] = SolveRate.model_validate(told)
        return found
