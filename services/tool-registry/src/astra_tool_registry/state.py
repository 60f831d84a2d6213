"""What the application holds while it runs, handed to the routes."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from astra_service.database import Database
from fastapi import Depends, Request

from astra_tool_registry.gateway.sessions import SessionPool
from astra_tool_registry.settings import Settings


@dataclass(frozen=True)
class State:
    """Opened at start, closed at the end."""

    settings: Settings
    database: Database
    sessions: SessionPool
    imports: asyncio.Semaphore
    """How many imports may run at once."""


def _state(request: Request) -> State:
    state: State = request.app.state.resources
    return state


Resources = Annotated[State, Depends(_state)]
