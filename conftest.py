"""Fixtures for every test of the repository."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

SERVICES = ("tool-registry", "synth-worker", "env-server", "trainer")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """All asynchronous code here is asyncio's."""
    return "asyncio"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent


@pytest.fixture(scope="session", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service in turn, by the name of its folder."""
    return str(request.param)


@pytest.fixture(scope="session")
def make_app(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FastAPI]:
    """Builds a service's application on a database of its own; ``make_app("trainer", port=1)``."""

    def build(name: str, **settings: Any) -> FastAPI:
        package = f"astra_{name.replace('-', '_')}"
        folder = tmp_path_factory.mktemp(name)
        settings.setdefault("database_url", f"sqlite+aiosqlite:///{folder}/db.sqlite")
        if "data_dir" in import_module(f"{package}.settings").Settings.model_fields:
            settings.setdefault("data_dir", folder)
        app = import_module(f"{package}.app").create_app(import_module(f"{package}.settings").Settings(**settings))
        assert isinstance(app, FastAPI)
        return app

    return build


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the shell that runs the tests do not reach the services under test."""
    for name in list(os.environ):
        if name.startswith("ASTRA_") and not name.startswith(("ASTRA_TEST_", "ASTRA_REQUIRE_")):
            monkeypatch.delenv(name)
