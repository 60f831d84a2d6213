"""A service that cannot start says why in a sentence; a fault of its own keeps its traceback."""

import logging
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic.util import CommandError
from astra_proto.errors import Unavailable
from astra_service.settings import ServiceSettings
from astra_service.starting import CannotStart, Starting, misspelt, read_settings
from fastapi import FastAPI
from pydantic_settings import SettingsConfigDict

pytestmark = pytest.mark.anyio

SERVICE = """
from contextlib import asynccontextmanager
from astra_service.app import build_app
from astra_service.database import Database
from astra_service.serve import service_command
from astra_service.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ASTRA_SMALL_")
    needs: str = "the database"


def create_app(settings):
    @asynccontextmanager
    async def lifespan(app):
        if settings.needs == "a fault":
            {}["no such key"]
        database = Database(settings.database_url)
        await database.ping()
        yield

    return build_app(
        package="astra_service", title="small", description="", settings=settings, lifespan=lifespan,
        checks=lambda app: {},
    )


service_command("astra-small", "Small.", Settings, create_app)()
"""


def started(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """What the service says that is told so."""
    (folder / "small.py").write_text(SERVICE)
    given = {f"ASTRA_SMALL_{name.upper()}": value for name, value in ({"port": "0"} | settings).items()}
    return subprocess.run(
        [sys.executable, "small.py", "serve", *options], cwd=folder, env={**os.environ, **given},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


class Some(ServiceSettings):
    """A service's settings."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_SOME_")
    isolation: str = "auto"
    max_envs: int = 1
    tool_registry_url: str | None = None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"port": "http", "log_level": "loud"}, ("ASTRA_SOME_PORT: ", "ASTRA_SOME_LOG_LEVEL: ", "'warning'")),
        ({"database_url": "postgresql://u@h/d"}, ("ASTRA_SOME_DATABASE_URL: ", "postgresql+asyncpg://")),
    ],
)
def test_wrong_settings_are_named(given: dict[str, str], told: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as refused:
        read_settings(Some, given)
    assert all(part in str(refused.value) for part in ("cannot start: ", *told))


def test_a_database_that_is_away_is_told_in_a_sentence(tmp_path: Path) -> None:
    ended = started(tmp_path, database_url="postgresql+asyncpg://u:hidden@127.0.0.1:1/d")
    assert ended.returncode == 1
    assert "cannot start: the database postgresql+asyncpg://u:***@127.0.0.1:1/d cannot be used: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hidden" not in ended.stderr


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CannotStart("install it"), "install it"),
        (Unavailable("no answer"), "no answer"),
        (CommandError("Can't locate revision identified by '0099'"), "are of another version"),
        (sqlite3.OperationalError("unable to open database file"), "cannot be used: unable to open"),
        (KeyError("a fault"), None),
    ],
)
async def test_what_is_missing_is_told_and_a_fault_is_not(error: Exception, told: str | None) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        raise error
        yield

    app = FastAPI(lifespan=lifespan)
    starting = Starting(app, "sqlite+aiosqlite:///some.db")
    try:
        with pytest.raises(type(error)):
            async with app.router.lifespan_context(app):
                pass
    finally:
        logging.getLogger("uvicorn.error").disabled = False
    assert told in starting.why if told and starting.why else starting.why is told


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = started(tmp_path, "--port", port)
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith(f"cannot start: no listening on 127.0.0.1 port {port}: ")
    assert "ASTRA_SMALL_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_fault_keeps_its_traceback_and_a_slip_of_the_pen_is_told(tmp_path: Path) -> None:
    ended = started(tmp_path, needs="a fault", log_formt="json")
    assert ended.returncode == 3
    assert "KeyError: 'no such key'" in ended.stderr
    assert "settings.unknown" in ended.stderr
    assert "ASTRA_SMALL_LOG_FORMAT" in ended.stderr


def test_what_is_like_a_setting_and_is_none() -> None:
    names = ["ASTRA_SOME_ISOLATON", "ASTRA_SOME_MAX_ENV", "astra_some_port", "ASTRA_SOME_URL", "ASTRA_SOME_TRAINER_URL"]
    assert misspelt(Some, dict.fromkeys([*names, "ASTRA_SOME_DATA_DIR", "ASTRA_OTHER_POTR"], "x")) == {
        "ASTRA_SOME_ISOLATON": "ASTRA_SOME_ISOLATION",
        "ASTRA_SOME_MAX_ENV": "ASTRA_SOME_MAX_ENVS",
    }
