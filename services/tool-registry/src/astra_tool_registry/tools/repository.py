"""Searching stored tools."""

from collections.abc import Sequence

from astra_proto.tools import Tool
from sqlalchemy import ColumnElement, Integer, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from astra_tool_registry.models import ToolRow
from astra_tool_registry.servers.repository import as_tool

IN_NAME = 3
"""What a word is worth in a tool's name."""
IN_DESCRIPTION = 1
"""What it is worth in a description."""

Key = tuple[int, str, str]
"""Score, server id, name: the sort key of a listing."""


async def find_tools(
    session: AsyncSession, server_id: str | None, words: Sequence[str], after: Key | None, limit: int
) -> list[tuple[int, Tool]]:
    """Tools with any of the words, the best first; all tools, by server and name, if there are no words."""
    score = _score(words)
    query = select(score.label("score"), ToolRow).order_by(score.desc(), ToolRow.server_id, ToolRow.name).limit(limit)
    if server_id is not None:
        query = query.where(ToolRow.server_id == server_id)
    if words:
        query = query.where(score > 0)
    if after is not None:
        points, last_server, last_name = after
        later = or_(ToolRow.server_id > last_server, and_(ToolRow.server_id == last_server, ToolRow.name > last_name))
        query = query.where(or_(score < points, and_(score == points, later)))
    return [(points, as_tool(row)) for points, row in await session.execute(query)]


def _score(words: Sequence[str]) -> ColumnElement[int]:
    total: ColumnElement[int] = literal(0, Integer)
    for word in words:
        # words hold letters and digits only, so nothing in them is special to LIKE
        pattern = f"%{word}%"
        total = total + case((func.lower(ToolRow.name).like(pattern), IN_NAME), else_=0)
        total = total + case((func.lower(ToolRow.description).like(pattern), IN_DESCRIPTION), else_=0)
    return total
