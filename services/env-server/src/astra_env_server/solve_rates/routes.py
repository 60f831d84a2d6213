"""Telling what policies reached in arenas."""

from astra_proto.solve_rates import RecordedSolveRates, RecordSolveRates
from fastapi import APIRouter

from astra_env_server.resources import Here

router = APIRouter(tags=["arenas"])


@router.post("/solve-rates", summary="Record solve rates")
async def record_solve_rates(told: RecordSolveRates, here: Here) -> RecordedSolveRates:
    """Tell how often a policy solved arenas; the catalogue then says so with each of them, to everybody.

    The newest counts: what was told of this policy in an arena before is replaced. Arenas that are not published here
    are named in the reply.
    """
    return await here.solve_rates.record(told)
