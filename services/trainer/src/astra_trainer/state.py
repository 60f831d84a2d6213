"""What the application holds while it is up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from astra_service.bus import Bus
from astra_service.client import ApiClient
from astra_service.database import Database
from fastapi import Depends, Request

from astra_trainer.settings import Settings


@dataclass(frozen=True)
class State:
    """The service's resources."""

    settings: Settings
    db: Database
    bus: Bus
    envs: ApiClient
    synth: ApiClient
    now: Callable[[], datetime]


def _state(request: Request) -> State:
    return cast(State, request.app.state.resources)


StateDep = Annotated[State, Depends(_state)]
