"""The trainer's tables: what is trained and played. Numbers and checkpoints are files in the data folder."""

from datetime import datetime
from typing import Any

from astra_service.database import Json, UtcDateTime
from sqlalchemy import Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Model(DeclarativeBase):
    """All tables."""


class WorkRow(Model):
    """A training run or an evaluation: both wait in one queue for one kind of engine process."""

    __tablename__ = "trainer_work"
    __table_args__ = (Index("trainer_work_queue", "status", "created_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """``run`` or ``evaluation``."""
    key: Mapped[str] = mapped_column(String(220), unique=True)
    """Prefixed with the kind, so that a run and an evaluation may have the same."""
    request: Mapped[dict[str, Any]] = mapped_column(Json)
    status: Mapped[str] = mapped_column(String(16))
    step: Mapped[int]
    total_steps: Mapped[int | None]
    detail: Mapped[str] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
