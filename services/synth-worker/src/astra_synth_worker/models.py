"""The worker's tables: jobs, what their stages gave, and the trajectories they made."""

from datetime import datetime
from typing import Any

from astra_service.database import Json, UtcDateTime
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""A row number that grows; listings are ordered and paged by it."""


class Model(DeclarativeBase):
    """Base of the tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class JobRow(Model):
    """A unit of work and who holds it."""

    __tablename__ = "synth_jobs"
    __table_args__ = (
        Index("ix_synth_jobs_claim", "status", "run_after", "seq"),
        Index("ix_synth_jobs_kind", "kind", "status", "seq"),
    )

    seq: Mapped[int] = mapped_column(Sequence, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    status: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int]
    max_attempts: Mapped[int]
    run_after: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(120))
    """Who holds the lease: a name that is made anew with each claim."""
    reason: Mapped[str | None] = mapped_column(String(100))
    """Why it was refused, or how its last attempt failed."""
    outcome: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StageRow(Model):
    """What a stage of a job gave for one input."""

    __tablename__ = "synth_stages"
    __table_args__ = (UniqueConstraint("job_id", "name", "input_hash"),)

    seq: Mapped[int] = mapped_column(Sequence, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("synth_jobs.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    input_hash: Mapped[str] = mapped_column(String(64))
    prompts: Mapped[dict[str, str]] = mapped_column(Json)
    """Template name to the hash it had; the output holds only as long as all of them are unchanged."""
    usage: Mapped[dict[str, Any]] = mapped_column(Json)
    output: Mapped[Any] = mapped_column(Json, nullable=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TrajectoryRow(Model):
    """An agent's run with its score."""

    __tablename__ = "synth_trajectories"
    __table_args__ = (Index("ix_synth_trajectories_kept", "kept", "seq"),)

    seq: Mapped[int] = mapped_column(Sequence, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("synth_jobs.id", ondelete="CASCADE"), index=True)
    server_id: Mapped[str] = mapped_column(String(128))
    kept: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
