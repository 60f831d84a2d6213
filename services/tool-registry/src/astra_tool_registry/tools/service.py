"""Searching tools by words."""

import re

from astra_proto.pages import Page
from astra_proto.tools import Tool
from astra_service import cursors

from astra_tool_registry.state import State
from astra_tool_registry.tools import repository

_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 16


async def list_tools(state: State, server_id: str | None, q: str | None, cursor: str | None, limit: int) -> Page[Tool]:
    """A page of tools: those that have a word of ``q``, ranked, or all."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(q or "")))[:_MOST_WORDS]
    if q and not words:
        return Page(items=[], next_cursor=None)
    after: repository.Key | None = None
    if cursor:
        points, last_server, last_name = cursors.decode(cursor, int, str, str)
        after = (int(points), str(last_server), str(last_name))
    async with state.database.session() as session:
        found = await repository.find_tools(session, server_id, words, after, limit + 1)
    points, last = found[limit - 1] if len(found) > limit else (0, None)
    following = cursors.encode(points, last.server_id, last.name) if last else None
    return Page(items=[tool for _, tool in found[:limit]], next_cursor=following)
