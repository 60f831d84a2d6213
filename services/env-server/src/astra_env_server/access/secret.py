"""The text of a key: ``astra_<id>_<secret>``. The id may be shown; of the whole only a hash is kept."""

import hashlib
import re
import secrets

PREFIX = "astra_"
_SHAPE = re.compile(r"astra_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")


def new_key() -> tuple[str, str]:
    """``(id, key)`` of a key that nobody has."""
    number = secrets.token_hex(8)
    return f"key_{number}", f"{PREFIX}{number}_{secrets.token_urlsafe(32)}"


def id_of(key: str) -> str | None:
    """The id in a key; None if it has not the form of one."""
    found = _SHAPE.fullmatch(key)
    return f"key_{found[1]}" if found else None


def hash_of(key: str) -> str:
    """What is stored of a key. One round is enough: there is no guessing 256 bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
