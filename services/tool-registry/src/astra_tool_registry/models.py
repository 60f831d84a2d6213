"""The registry's tables."""

from datetime import datetime
from typing import Any

from astra_service.database import Json, UtcDateTime
from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Ordered = JSON(none_as_null=True)
"""JSON that keeps the order of its keys on Postgres too: models see schemas in the order in which they were written."""


class Table(DeclarativeBase):
    """Everything the registry stores."""


class ServerRow(Table):
    """A tool server as it was last imported."""

    __tablename__ = "tool_registry_servers"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    domain: Mapped[str] = mapped_column(String(100))
    launch: Mapped[dict[str, Any]] = mapped_column(Ordered)
    dropped: Mapped[dict[str, str]] = mapped_column(Ordered)
    proposed: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """Proposed edges; they outlive a new import."""
    graph: Mapped[dict[str, Any]] = mapped_column(Json)
    imported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ToolRow(Table):
    """A fit tool of a server."""

    __tablename__ = "tool_registry_tools"

    server_id: Mapped[str] = mapped_column(ForeignKey("tool_registry_servers.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    position: Mapped[int]
    """Its place in the server's own list."""
    description: Mapped[str] = mapped_column(Text)
    parameters: Mapped[dict[str, Any]] = mapped_column(Ordered)
    output_schema: Mapped[dict[str, Any] | None] = mapped_column(Ordered)
