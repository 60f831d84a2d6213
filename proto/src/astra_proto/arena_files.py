"""An arena as one file, to be carried from one server to another: its content, its report, and a hash of both."""

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import ValidationError

from astra_proto.arenas import Arena, ArenaSpec
from astra_proto.base import Record
from astra_proto.errors import EditedFile, Invalid, Malformed, NewerFile, TooLarge
from astra_proto.ids import ArenaId, canonical_json
from astra_proto.soundness import SoundnessReport

FORMAT = "astra.arena"
VERSION = 2
"""Of the format: 2 can carry a state. A stateless arena is written as 1, which older versions read as well."""
MAX_BYTES = 32 * 2**20
"""Largest file that is read."""


class ArenaFile(Record):
    """One arena, whole: it holds answers. ``sha256`` is of everything else in it, as canonical JSON."""

    format: Literal["astra.arena"] = "astra.arena"
    schema_version: Literal[1, 2] = 1
    id: ArenaId
    """The arena's id, which follows from its content."""
    spec: ArenaSpec
    soundness: SoundnessReport
    """What the gate of the server that it comes from said; the one that it is brought to asks again."""
    sha256: str
    """Hex."""

    @classmethod
    def of(cls, arena: Arena) -> Self:
        """The file of a published arena."""
        version = 1 if arena.spec.state is None else VERSION
        body = {"format": FORMAT, "schema_version": version, **arena.model_dump(mode="json", exclude={"solve_rates"})}
        return cls(**body, sha256=_digest(body))

    def text(self) -> str:
        """What is written: JSON for people to read and for tools to compare."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_arena_file(raw: bytes) -> ArenaFile:
    """The arena in a file. Raises TooLarge, Malformed, NewerFile, EditedFile, or Invalid for another kind of file."""
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"the file has more than {MAX_BYTES // 2**20} MiB: no arena is that large")
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the file is not JSON in UTF-8: {error}") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise Invalid(f'format: must be "{FORMAT}": this is no exported arena')
    version = body.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise NewerFile(f"schema_version: {version} is newer than {VERSION}, the newest known here: update astra")
    wanted = body.get("sha256")
    if wanted != (found := _digest({key: value for key, value in body.items() if key != "sha256"})):
        raise EditedFile(f"sha256: the content has {found}, the file says {str(wanted)[:80]!r}: it was edited or cut")
    try:
        read = ArenaFile.model_validate(body)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()[:5])
        raise Invalid(told) from None
    if read.schema_version == 1 and read.spec.state is not None:
        raise Invalid(
            f"schema_version: 1 cannot carry a state, and spec.state has one: write {VERSION}, as `astra arena export` "
            "does, or leave the state out"
        )
    if read.id != (found := read.spec.id()):
        raise EditedFile(f"id: the content is that of {found}, the file says {read.id}: it was edited")
    return read


def is_arena_file(raw: bytes) -> bool:
    """Whether it says of itself that it is an exported arena, whatever else is wrong with it."""
    try:
        body = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and body.get("format") == FORMAT


def _digest(body: dict[str, Any]) -> str:
    try:
        return hashlib.sha256(canonical_json(body).encode()).hexdigest()
    except (ValueError, RecursionError) as error:  # a lone surrogate, a number beyond all bounds
        raise Malformed(f"the file holds what JSON in UTF-8 cannot: {error}") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
