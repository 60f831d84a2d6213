"""Where a listing goes on: the id it stopped at, made opaque."""

import base64
import binascii

from astra_proto.errors import Invalid


def encode(last_id: str) -> str:
    """The cursor that goes on after ``last_id``."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def decode(cursor: str | None) -> str:
    """The id to go on after; the empty text for the beginning."""
    if cursor is None:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not text.isprintable() or encode(text) != cursor or not text:
        raise Invalid("query.cursor: not one of ours: pass `next_cursor` of the page before, or leave it out")
    return text
