"""HTTP for the catalogue."""

from astra_proto.pages import Page
from astra_proto.tools import CatalogueEntry
from astra_service import cursors
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter

from astra_tool_registry.catalogue import entries

router = APIRouter(tags=["catalogue"])


@router.get("/catalogue", summary="List servers that are ready to import")
async def list_catalogue(cursor: Cursor = None, limit: Limit = 50) -> Page[CatalogueEntry]:
    """Real tool servers with exact versions; send an entry's `server` to `POST /servers`."""
    after = str(cursors.decode(cursor, str)[0]) if cursor else ""
    found = [entry for entry in entries() if entry.server.id > after]
    more = len(found) > limit
    return Page(items=found[:limit], next_cursor=cursors.encode(found[limit - 1].server.id) if more else None)
