"""The registry's application."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from astra_proto.errors import Unavailable
from astra_service.app import Check, build_app
from astra_service.database import Database
from fastapi import FastAPI

from astra_tool_registry import models
from astra_tool_registry.catalogue.routes import router as catalogue
from astra_tool_registry.distractors.routes import router as distractors
from astra_tool_registry.gateway.sessions import SessionPool
from astra_tool_registry.gateway.workspace import search_path
from astra_tool_registry.graphs.routes import router as graphs
from astra_tool_registry.servers.routes import router as servers
from astra_tool_registry.sessions.routes import router as sessions
from astra_tool_registry.settings import Settings
from astra_tool_registry.state import State
from astra_tool_registry.tools.routes import router as tools


def create_app(settings: Settings) -> FastAPI:
    """The tool registry, ready to serve."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.database_url)
        pool = SessionPool(settings, app.state.metrics)
        try:
            await database.migrate("astra_tool_registry", models.Table.metadata)
            app.state.resources = State(settings, database, pool, asyncio.Semaphore(settings.max_imports))
            yield
        finally:
            await pool.close_all()
            await database.close()

    app = build_app(
        package="astra_tool_registry",
        title="ASTRA tool registry",
        description="Imports real tool servers, filters their tools, builds graphs of what may follow what, walks "
        "chains from them, and keeps live sessions with the servers. Nothing else starts a tool server.",
        settings=settings,
        lifespan=lifespan,
        checks=_checks,
        errors=(410, 429, 502),
    )
    for router in (servers, catalogue, tools, graphs, distractors, sessions):
        app.include_router(router)
    return app


def _checks(app: FastAPI) -> Mapping[str, Check]:
    state: State = app.state.resources

    async def commands() -> None:
        search = search_path()
        if absent := [name for name in state.settings.allowed_commands if shutil.which(name, path=search) is None]:
            raise Unavailable(f"allowed commands that are not installed: {absent}")

    return {"database": state.database.ping, "commands": commands}
