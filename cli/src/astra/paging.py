"""Listings read whole, page by page."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from astra_proto.pages import Page
from astra_service.client import ApiClient
from pydantic import BaseModel

Item = TypeVar("Item", bound=BaseModel)


async def items(
    api: ApiClient, path: str, item: type[Item], *, limit: int | None = None, **params: Any
) -> AsyncIterator[Item]:
    """Every item of a listing, at most ``limit`` of them, asking for pages as they are needed."""
    cursor: str | None = None
    given = 0
    while limit is None or given < limit:
        size = 100 if limit is None else min(100, limit - given)
        page = await api.get(path, Page[item], cursor=cursor, limit=size, **params)  # type: ignore[valid-type]
        for one in page.items[:size]:
            given += 1
            yield one
        cursor = page.next_cursor
        if cursor is None:
            return


async def listing(
    api: ApiClient, path: str, item: type[Item], *, limit: int | None = None, **params: Any
) -> list[Item]:
    """The same as a list."""
    return [one async for one in items(api, path, item, limit=limit, **params)]
