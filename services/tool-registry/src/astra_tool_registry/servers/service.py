"""Importing tool servers: start one, list its tools, keep the fit ones, build its graph."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from astra_proto.errors import Invalid
from astra_proto.pages import Page
from astra_proto.tools import ImportServer, ToolServer
from astra_service import cursors

from astra_tool_registry.gateway.connection import Connection, connected
from astra_tool_registry.graphs.build import build_graph
from astra_tool_registry.graphs.service import weights
from astra_tool_registry.servers import repository
from astra_tool_registry.servers.filters import sift
from astra_tool_registry.state import State

log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


async def import_server(
    state: State, request: ImportServer, now: Callable[[], datetime] = _now
) -> tuple[ToolServer, bool]:
    """Import a server, or import it anew, and say whether it is new. Proposed edges of an earlier import are kept.

    The server runs outside any transaction, for it may take its time.
    Raises: Invalid if the launch is not allowed or too few tools are fit; UpstreamFailed if the server does not behave.
    """

    async def listed(connection: Connection) -> list[object]:
        return await connection.list_tools()

    async with state.imports:
        found = await connected(request.launch, state.settings, listed)
    tools, dropped = await asyncio.to_thread(sift, request.id, found, state.settings)
    if len(tools) < state.settings.min_tools:
        told = "; ".join(f"{name}: {reason}" for name, reason in list(dropped.items())[:10])
        raise Invalid(
            f"only {len(tools)} of the server's {len(found)} tools are fit, and at least {state.settings.min_tools} "
            f"must be. {told}"
        )
    empty = {"launch": {}, "dropped": {}, "proposed": [], "graph": {}, "imported_at": now()}
    about = {"id": request.id, "title": request.title, "description": request.description, "domain": request.domain}
    async with state.database.session() as session:
        row, created = await repository.claim_server(session, about | empty)
        row.imported_at = now()
        graph = await asyncio.to_thread(build_graph, request.id, tools, weights(row.proposed))
        await repository.store_import(session, row, request, tools, dropped, graph)
        server = repository.as_server(row, tools)
    log.info("server.imported", server_id=request.id, created=created, tools=len(tools), dropped=len(dropped))
    return server, created


async def get_server(state: State, server_id: str) -> ToolServer:
    """One server with its tools."""
    async with state.database.session() as session:
        row = await repository.find_server(session, server_id)
        return repository.as_server(row, (await repository.tools_of(session, [server_id])).get(server_id, []))


async def list_servers(state: State, cursor: str | None, limit: int) -> Page[ToolServer]:
    """A page of servers, by id."""
    after = str(cursors.decode(cursor, str)[0]) if cursor else None
    async with state.database.session() as session:
        found = await repository.list_servers(session, after, limit + 1)
    more = len(found) > limit
    return Page(items=found[:limit], next_cursor=cursors.encode(found[limit - 1].id) if more else None)


async def delete_server(state: State, server_id: str) -> None:
    """Forget a server and end its sessions."""
    async with state.database.session() as session:
        await repository.delete_server(session, server_id)
    await state.sessions.close_server(server_id)
