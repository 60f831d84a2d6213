"""HTTP for tool servers."""

from astra_proto.ids import ServerId
from astra_proto.pages import Page
from astra_proto.tools import ImportServer, ToolServer
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Response

from astra_tool_registry.servers import service
from astra_tool_registry.state import Resources

router = APIRouter(tags=["servers"])


@router.post(
    "/servers",
    status_code=201,
    summary="Import a tool server",
    responses={200: {"model": ToolServer, "description": "Imported anew"}},
)
async def import_server(request: ImportServer, state: Resources, response: Response) -> ToolServer:
    """Starts the server, lists its tools, keeps those that are fit and builds their graph.

    The same id again imports it anew in the place of the first (200). A server that does not start, dies, or answers
    what is no list of tools is a 502 with what it said.
    """
    server, created = await service.import_server(state, request)
    response.status_code = 201 if created else 200
    return server


@router.get("/servers", summary="List tool servers")
async def list_servers(state: Resources, cursor: Cursor = None, limit: Limit = 50) -> Page[ToolServer]:
    """Tool servers by id, each with its tools and with what was dropped and why."""
    return await service.list_servers(state, cursor, limit)


@router.get("/servers/{server_id}", summary="Get a tool server")
async def get_server(server_id: ServerId, state: Resources) -> ToolServer:
    """One tool server with its tools."""
    return await service.get_server(state, server_id)


@router.delete("/servers/{server_id}", status_code=204, summary="Remove a tool server")
async def delete_server(server_id: ServerId, state: Resources) -> None:
    """Forgets the server, its tools and its graph, and closes its sessions."""
    await service.delete_server(state, server_id)
