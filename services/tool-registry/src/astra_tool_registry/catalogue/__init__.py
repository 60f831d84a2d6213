"""Tool servers that are known to start and to answer the same calls the same way, shipped as files."""

from functools import cache
from importlib.resources import files

from astra_proto.tools import CatalogueEntry


@cache
def entries() -> tuple[CatalogueEntry, ...]:
    """Every shipped entry, by server id."""
    folder = files("astra_tool_registry.catalogue")
    found = [CatalogueEntry.model_validate_json(f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".json")]
    return tuple(sorted(found, key=lambda entry: entry.server.id))
