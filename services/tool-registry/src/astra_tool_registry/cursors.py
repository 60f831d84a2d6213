"""Where a listing goes on: the sort key of the last row, as an opaque text."""

import base64
import binascii
import json
from typing import Annotated

from astra_proto.errors import Invalid
from fastapi import Query

Cursor = Annotated[
    str | None, Query(max_length=1_000, description="`next_cursor` of the page before; leave out for the first page.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on the page.")]


def encode(*key: str | int) -> str:
    """A cursor that goes on after the row of this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str, *types: type) -> list[str | int]:
    """The key in a cursor of ours.

    Raises: Invalid if it is none.
    """
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    fits = (
        isinstance(key, list) and len(key) == len(types) and all(type(k) is t for k, t in zip(key, types, strict=True))
    )
    if not fits or any(
        (isinstance(k, str) and ("\0" in k or not k.isprintable())) or (isinstance(k, int) and abs(k) >= 2**31)
        for k in key
    ):
        raise Invalid("cursor: it is none of this listing; take `next_cursor` of the page before, or leave it out")
    return list(key)
