"""Cursors of listings: the number of the last row that was given, as text."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from astra_proto.errors import Invalid
from astra_proto.pages import Page
from fastapi import Query

Item = TypeVar("Item")

Cursor = Annotated[str | None, Query(max_length=40, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most items on the page.")]


def row_after(cursor: str | None) -> int:
    """The row number that a page begins behind. Raises :class:`Invalid` for a cursor that was not given out."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise Invalid("cursor: not one that was given out; use `next_cursor` of the page before, or none to begin")
    return int(cursor)


def paged(rows: Sequence[tuple[int, Item]], limit: int) -> Page[Item]:
    """A page of ``limit`` items, made of one row more than that if there are more."""
    more = len(rows) > limit
    return Page(items=[item for _, item in rows[:limit]], next_cursor=str(rows[limit - 1][0]) if more else None)
