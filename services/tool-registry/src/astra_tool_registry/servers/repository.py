"""Stored tool servers and their tools."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from astra_proto.errors import NotFound
from astra_proto.tools import ImportServer, StdioLaunch, Tool, ToolGraph, ToolServer
from astra_service.database import upsert
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from astra_tool_registry.models import ServerRow, ToolRow


def as_tool(row: ToolRow) -> Tool:
    """The stored tool."""
    return Tool(
        server_id=row.server_id,
        name=row.name,
        description=row.description,
        parameters=row.parameters,
        output_schema=row.output_schema,
    )


async def find_server(session: AsyncSession, server_id: str, *, locked: bool = False) -> ServerRow:
    """The row of a server; ``locked`` keeps other writers from it until the transaction ends.

    Raises: NotFound.
    """
    row = await session.get(ServerRow, server_id, with_for_update=locked or None)
    if row is None:
        raise NotFound(f"no tool server {server_id!r}: import it with POST /servers")
    return row


async def tools_of(session: AsyncSession, server_ids: Sequence[str]) -> dict[str, list[Tool]]:
    """Each server's tools in its own order."""
    rows = await session.scalars(
        select(ToolRow).where(ToolRow.server_id.in_(server_ids)).order_by(ToolRow.server_id, ToolRow.position)
    )
    found: dict[str, list[Tool]] = defaultdict(list)
    for row in rows:
        found[row.server_id].append(as_tool(row))
    return found


async def list_servers(session: AsyncSession, after: str | None, limit: int) -> list[ToolServer]:
    """Servers by id."""
    query = select(ServerRow).options(defer(ServerRow.graph)).order_by(ServerRow.id).limit(limit)
    if after is not None:
        query = query.where(ServerRow.id > after)
    rows = list(await session.scalars(query))
    tools = await tools_of(session, [row.id for row in rows])
    return [as_server(row, tools.get(row.id, [])) for row in rows]


def as_server(row: ServerRow, tools: list[Tool]) -> ToolServer:
    """The stored server."""
    return ToolServer(
        id=row.id,
        title=row.title,
        description=row.description,
        domain=row.domain,
        launch=StdioLaunch.model_validate(row.launch),
        tools=tools,
        dropped=row.dropped,
    )


async def claim_server(session: AsyncSession, values: dict[str, Any]) -> tuple[ServerRow, bool]:
    """The locked row of a server, and whether it is new; if so it has these values."""
    table: Any = ServerRow.__table__
    statement = upsert(session, table, values, ["id"]).returning(table.c.id)
    created = (await session.execute(statement)).first() is not None
    return await find_server(session, values["id"], locked=True), created


async def store_import(
    session: AsyncSession,
    row: ServerRow,
    request: ImportServer,
    tools: Iterable[Tool],
    dropped: dict[str, str],
    graph: ToolGraph,
) -> None:
    """Put a new import in the place of what was there."""
    row.title, row.description, row.domain = request.title, request.description, request.domain
    row.launch = request.launch.model_dump(mode="json")
    row.dropped = dropped
    row.graph = graph.model_dump(mode="json")
    await session.execute(delete(ToolRow).where(ToolRow.server_id == row.id))
    session.add_all(ToolRow(position=position, **tool.model_dump(mode="json")) for position, tool in enumerate(tools))
    await session.flush()


async def delete_server(session: AsyncSession, server_id: str) -> None:
    """Forget a server and its tools.

    Raises: NotFound.
    """
    row = await find_server(session, server_id)
    await session.execute(delete(ToolRow).where(ToolRow.server_id == server_id))
    await session.delete(row)
