"""The committed OpenAPI documents and JSON Schemas are what the code says."""

import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import astra_proto
import pytest
from astra_proto.base import Record
from astra_service.app import spec_text
from fastapi import FastAPI

UPDATE = bool(os.environ.get("UPDATE_SPECS"))


def same_as_committed(path: Path, fresh: str) -> None:
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fresh)
    assert path.is_file(), f"{path.name} is missing: run `make specs`"
    assert path.read_text() == fresh, f"{path.name} is not what the code says: run `make specs` and read the difference"


def test_openapi_is_current(service: str, make_app: Callable[..., FastAPI], repository: Path) -> None:
    same_as_committed(repository / "proto/openapi" / f"{service}.json", spec_text(make_app(service)))


def test_every_operation_is_documented(service: str, make_app: Callable[..., FastAPI]) -> None:
    spec = make_app(service).openapi()
    operations = [(m, p, op) for p, item in spec["paths"].items() for m, op in item.items()]
    bare = [
        f"{m.upper()} {p}"
        for m, p, op in operations
        if not (op.get("summary") and op.get("description") and op.get("tags"))
    ]
    assert not bare, f"no summary, docstring or tag: {bare}"
    ids = [op["operationId"] for _, _, op in operations]
    assert len(ids) == len(set(ids)), "operation ids are not unique"


def records() -> Iterator[type[Record]]:
    """Everything that is stored or written to files and carries a schema version."""
    for module in iter_modules(astra_proto.__path__):
        for value in vars(import_module(f"astra_proto.{module.name}")).values():
            own = (
                isinstance(value, type)
                and issubclass(value, Record)
                and value.__module__ == f"astra_proto.{module.name}"
            )
            if own and "schema_version" in value.model_fields:
                yield value


@pytest.mark.parametrize("model", list(records()), ids=lambda m: m.__name__)
def test_schema_is_current(model: type[Record], repository: Path) -> None:
    fresh = json.dumps(model.model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    same_as_committed(repository / "proto/schemas" / f"{model.__name__}.json", fresh)
