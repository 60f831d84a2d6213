"""What a running server holds, and how routes get at it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from astra_env_server.access.service import Keys
from astra_env_server.arenas.service import Arenas
from astra_env_server.code_runs.service import CodeRuns
from astra_env_server.envs.service import Envs
from astra_env_server.protocols.model_context import ModelContext
from astra_env_server.solve_rates.service import SolveRateBook


@dataclass(frozen=True)
class Resources:
    """The services of one application, opened in its lifespan."""

    arenas: Arenas
    envs: Envs
    code_runs: CodeRuns
    keys: Keys
    model_context: ModelContext
    solve_rates: SolveRateBook


async def _resources(connection: HTTPConnection) -> Resources:
    found = connection.app.state.resources
    assert isinstance(found, Resources), "the lifespan of the application is not running"
    return found


Here = Annotated[Resources, Depends(_resources)]
