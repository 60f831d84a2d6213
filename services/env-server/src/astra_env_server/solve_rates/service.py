"""Taking down what policies reached, and telling it with each arena."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from astra_proto.solve_rates import RecordedSolveRates, RecordSolveRates, SolveRates
from pydantic import TypeAdapter

from astra_env_server.solve_rates.repository import SolveRateRepository

log = structlog.get_logger()

_JSON: TypeAdapter[SolveRates] = TypeAdapter(SolveRates)


class SolveRateBook:
    """What ``POST /solve-rates`` does, and where arenas get what they tell of it."""

    def __init__(self, repository: SolveRateRepository, now: Callable[[], datetime]) -> None:
        self._repository, self._now = repository, now

    async def record(self, told: RecordSolveRates) -> RecordedSolveRates:
        """Store it for all arenas that there are."""
        unknown = await self._repository.record(told.policy, told.source, told.arenas, self._now())
        recorded = len(told.arenas) - len(unknown)
        log.info("solve_rates.recorded", policy=told.policy, arenas=recorded, unknown=len(unknown), source=told.source)
        return RecordedSolveRates(recorded=recorded, unknown=unknown)

    async def of(self, arena_id: str) -> SolveRates:
        """What is known of one arena."""
        return (await self._repository.of([arena_id])).get(arena_id, {})

    async def told_with(self, views: Sequence[tuple[str, str]]) -> list[str]:
        """Views, each ``(arena id, JSON as it was published)``, with what is known of their arenas by now."""
        found = await self._repository.of([arena_id for arena_id, _ in views])
        return [_with(view, found.get(arena_id, {})) for arena_id, view in views]


def _with(view: str, rates: SolveRates) -> str:
    # The view is an object that the server wrote itself: what comes behind its last field needs no parsing.
    return f'{view.rstrip().removesuffix("}")},"solve_rates":{_JSON.dump_json(rates).decode()}}}'
