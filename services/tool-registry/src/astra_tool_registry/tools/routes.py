"""HTTP for tools."""

from typing import Annotated

from astra_proto.ids import ServerId
from astra_proto.pages import Page
from astra_proto.tools import Tool
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Query

from astra_tool_registry.state import Resources
from astra_tool_registry.tools import service

router = APIRouter(tags=["tools"])


@router.get("/tools", summary="List or search tools")
async def list_tools(
    state: Resources,
    server_id: Annotated[ServerId | None, Query(description="Only tools of this server.")] = None,
    q: Annotated[str | None, Query(max_length=500, description="Words to look for in names and descriptions.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Tool]:
    """Tools by server and name; with `q`, those that have any of its words, the best match first."""
    return await service.list_tools(state, server_id, q, cursor, limit)
