"""Where a listing goes on: the sort key of the last row, as an opaque text."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from astra_proto.errors import Invalid
from astra_proto.pages import Page
from fastapi import Query
from pydantic import BaseModel

Item = TypeVar("Item", bound=BaseModel)
Cursor = Annotated[
    str | None, Query(max_length=1_000, description="`next_cursor` of the page before; leave out for the first page.")
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Most items on the page.")]


def encode(*key: str | int) -> str:
    """A cursor that goes on after the row of this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str, *types: type) -> list[str | int]:
    """The key in a cursor of ours, whose parts have these types. Raises ``Invalid`` if it is none."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not (isinstance(key, list) and [type(part) for part in key] == list(types) and all(map(_is_sane, key))):
        raise Invalid("query.cursor: none of this listing's: take `next_cursor` of the page before, or leave it out")
    return key


def after(cursor: str | None) -> str:
    """The id in a cursor over ids; the empty text, which comes before every id, for the first page."""
    return "" if cursor is None else str(decode(cursor, str)[0])


def page(items: Sequence[Item], limit: int, key: Callable[[Item], str | int | Sequence[str | int]]) -> Page[Item]:
    """The first ``limit`` items as a page; the caller asked for one more, to see whether there is a next page."""
    shown = list(items[:limit])
    if len(items) <= limit:
        return Page(items=shown, next_cursor=None)
    last = key(shown[-1])
    parts = (last,) if isinstance(last, (str, int)) else last
    return Page(items=shown, next_cursor=encode(*parts))


def after_row(cursor: str | None) -> int:
    """The row number in a cursor over numbered rows; 0, which comes before every row, for the first page."""
    return 0 if cursor is None else int(decode(cursor, int)[0])


def rows_page(rows: Sequence[tuple[int, Item]], limit: int) -> Page[Item]:
    """The first ``limit`` of numbered rows as a page; the caller asked for one more, as for `page`."""
    following = encode(rows[limit - 1][0]) if len(rows) > limit else None
    return Page(items=[item for _, item in rows[:limit]], next_cursor=following)


def _is_sane(part: str | int) -> bool:
    return abs(part) < 2**31 if isinstance(part, int) else part.isprintable()
