"""What keeps a service from starting, in a sentence: a setting, a port, a database. A fault keeps its traceback."""

import difflib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from alembic.util import CommandError
from astra_proto.errors import AstraError
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from astra_service.outage import outage
from astra_service.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_LIKE = 0.8
"""How alike a name must be to that of a setting to be taken for a slip of the pen."""


class CannotStart(Exception):
    """Something that the service needs is not there. The text is for whoever starts it: what, and what to do."""


def read_settings(settings_class: type[S], given: Mapping[str, Any]) -> S:
    """The settings from ``given`` and the environment. Exits with a sentence that names the wrong ones."""
    prefix = settings_class.model_config.get("env_prefix", "")
    try:
        return settings_class(**given)
    except ValidationError as error:
        told = "; ".join(f"{prefix}{'_'.join(map(str, p['loc'])).upper()}: {p['msg']}" for p in error.errors())
        raise SystemExit(f"cannot start: {told}") from None
    except SettingsError as error:
        raise SystemExit(f"cannot start: {error}") from None


def misspelt(settings_class: type[ServiceSettings], environment: Mapping[str, str]) -> dict[str, str]:
    """Names in the environment that are no setting, each to the setting that was probably meant."""
    prefix = settings_class.model_config.get("env_prefix", "")
    known = {f"{prefix}{field}".upper() for field in settings_class.model_fields}
    found: dict[str, str] = {}
    for name in environment:
        if name.upper().startswith(prefix) and name.upper() not in known:
            meant = difflib.get_close_matches(name.upper().removeprefix(prefix), _ends(known, prefix), 1, _LIKE)
            found |= {name: f"{prefix}{meant[0]}"} if meant else {}
    return found


class Starting:
    """Watches an application's lifespan begin; what kept it from beginning is ``why``, None for a fault of ours."""

    def __init__(self, app: FastAPI, database_url: str) -> None:
        self.why: str | None = None
        self._lifespan: Callable[[Any], AbstractAsyncContextManager[Any]] = app.router.lifespan_context
        self._database_url = database_url
        app.router.lifespan_context = self._watched

    @asynccontextmanager
    async def _watched(self, app: Any) -> AsyncIterator[Any]:
        context = self._lifespan(app)
        try:
            state = await context.__aenter__()
        except Exception as error:
            self.why = self._sentence(error)
            # The server would print the traceback, and it is the last thing that it would say.
            logging.getLogger("uvicorn.error").disabled = self.why is not None
            raise
        try:
            yield state
        finally:
            await context.__aexit__(None, None, None)

    def _sentence(self, error: Exception) -> str | None:
        if isinstance(error, CannotStart):
            return str(error)
        if isinstance(error, CommandError):
            return f"the tables in {_shown(self._database_url)} are of another version than this program: {error}"
        if outage(error) or isinstance(error, (SQLAlchemyError, sqlite3.Error, asyncpg.PostgresError)):
            return f"the database {_shown(self._database_url)} cannot be used: {_first_line(error)}"
        return error.detail if isinstance(error, AstraError) else None


def _ends(known: set[str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in sorted(known)]


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "of this URL"


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__}"[:500]
