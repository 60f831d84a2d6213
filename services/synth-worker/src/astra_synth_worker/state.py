"""What a running worker holds open, and how a route gets at it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from astra_service.bus import Bus
from astra_service.client import ApiClient
from astra_service.database import Database
from fastapi import Depends, Request


@dataclass(frozen=True)
class State:
    """Resources of one application, open from start to stop."""

    db: Database
    bus: Bus
    registry: ApiClient
    env_server: ApiClient
    now: Callable[[], datetime]


def _state(request: Request) -> State:
    return cast(State, request.app.state.resources)


StateDep = Annotated[State, Depends(_state)]
