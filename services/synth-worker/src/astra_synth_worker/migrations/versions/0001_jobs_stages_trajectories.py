"""Jobs, stages and trajectories."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import Json, UtcDateTime
from astra_synth_worker.models import Sequence

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "synth_jobs",
        sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("run_after", UtcDateTime, nullable=False),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("worker", sa.String(120)),
        sa.Column("reason", sa.String(100)),
        sa.Column("outcome", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.UniqueConstraint("id", name="uq_synth_jobs_id"),
        sa.UniqueConstraint("key", name="uq_synth_jobs_key"),
    )
    op.create_index("ix_synth_jobs_claim", "synth_jobs", ["status", "run_after", "seq"])
    op.create_index("ix_synth_jobs_kind", "synth_jobs", ["kind", "status", "seq"])
    op.create_table(
        "synth_stages",
        sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("synth_jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("input_hash", sa.String(64), nullable=False),
        sa.Column("prompts", Json, nullable=False),
        sa.Column("usage", Json, nullable=False),
        sa.Column("output", Json),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("job_id", "name", "input_hash", name="uq_synth_stages_job_id"),
    )
    op.create_index("ix_synth_stages_job_id", "synth_stages", ["job_id"])
    op.create_table(
        "synth_trajectories",
        sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("synth_jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("server_id", sa.String(128), nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("id", name="uq_synth_trajectories_id"),
    )
    op.create_index("ix_synth_trajectories_job_id", "synth_trajectories", ["job_id"])
    op.create_index("ix_synth_trajectories_kept", "synth_trajectories", ["kept", "seq"])


def downgrade() -> None:
    for table in ("synth_trajectories", "synth_stages", "synth_jobs"):
        op.drop_table(table)
