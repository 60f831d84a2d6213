"""Typed names for things, and the content hash that names an arena."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import StringConstraints

_SLUG = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"

ServerId = Annotated[str, StringConstraints(pattern=_SLUG)]
ArenaId = Annotated[str, StringConstraints(pattern=r"^ar_[0-9a-f]{32}$")]
EnvId = Annotated[str, StringConstraints(pattern=r"^env_[0-9a-f]{32}$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^key_[0-9a-f]{16}$")]
JobId = Annotated[str, StringConstraints(pattern=r"^job_[0-9a-f]{32}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^run_[0-9a-f]{32}$")]
TrajectoryId = Annotated[str, StringConstraints(pattern=r"^tr_[0-9a-f]{32}$")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$")]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that hashes are taken of: sorted keys, no spaces, UTF-8 as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_id(prefix: str, value: Any) -> str:
    """An id that is a function of the content: ``prefix_`` and the first 128 bits of its SHA-256.

    >>> content_id("ar", {"a": 1}) == content_id("ar", {"a": 1})
    True
    """
    return f"{prefix}_{hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]}"
