"""The same rows as JSON lines and as Parquet, a file for each split, written as they come."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

_TEXT, _NUMBER = pa.string(), pa.int64()
_MESSAGE = pa.struct([("role", _TEXT), ("content", _TEXT)])

SCHEMAS: Mapping[str, Any] = {
    "arenas": pa.schema(
        [(name, _TEXT) for name in ("id", "split", "domain", "language", "topology")]
        + [("hops", _NUMBER), ("subtasks", _NUMBER)]
        + [(name, _TEXT) for name in ("teacher", "prompt", "spec", "soundness", "solve_rates")]
    ),
    "rl": pa.schema(
        [("prompt", pa.list_(_MESSAGE))]
        + [(name, _TEXT) for name in ("tool_schema", "tool_dict", "sub_qa_dict", "arena", "solve_rates")]
    ),
    "sft": pa.schema([(name, _TEXT) for name in ("arena_id", "split", "tools", "messages")]),
}
"""What the columns of each table are. What has no fixed shape is a text of JSON."""

BATCH = 200


class Tables:
    """Writers of one dataset, opened as rows come; close it, or use it in ``with``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[Path, Any] = {}
        self._parquet: dict[Path, tuple[Any, list[dict[str, Any]]]] = {}

    def add(self, table: str, split: str, row: Mapping[str, Any]) -> None:
        """One more row."""
        place = self._folder / table / split
        if place not in self._lines:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._lines[place] = place.with_suffix(".jsonl").open("w", encoding="utf-8")
            self._parquet[place] = (pq.ParquetWriter(place.with_suffix(".parquet"), SCHEMAS[table]), [])
        self._lines[place].write(json.dumps(row, ensure_ascii=False) + "\n")
        waiting = self._parquet[place][1]
        waiting.append(dict(row))
        if len(waiting) == BATCH:
            self._flush(place)

    def _flush(self, place: Path) -> None:
        writer, waiting = self._parquet[place]
        if waiting:
            writer.write_table(pa.Table.from_pylist(waiting, schema=writer.schema))
            waiting.clear()

    def close(self) -> None:
        """Write what is left."""
        for place, file in self._lines.items():
            file.close()
            self._flush(place)
            self._parquet[place][0].close()
        self._lines, self._parquet = {}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def digests(folder: Path) -> Sequence[tuple[str, int, str]]:
    """``(name, bytes, SHA-256)`` of the tables' files."""
    found = []
    for file in sorted(folder.glob("*/*")):
        if file.suffix in (".jsonl", ".parquet"):
            raw = file.read_bytes()
            found.append((str(file.relative_to(folder)), len(raw), hashlib.sha256(raw).hexdigest()))
    return found
