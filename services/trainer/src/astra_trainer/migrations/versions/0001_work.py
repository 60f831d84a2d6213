"""Runs and evaluations."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trainer_work",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(220), nullable=False, unique=True),
        sa.Column("request", Json, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("total_steps", sa.Integer),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("result", Json),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
    )
    op.create_index("trainer_work_queue", "trainer_work", ["status", "created_at"])


def downgrade() -> None:
    op.drop_table("trainer_work")
