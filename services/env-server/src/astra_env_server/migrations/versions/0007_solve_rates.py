"""What policies were measured to reach in arenas."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "env_server_solve_rates",
        sa.Column("arena_id", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(200), nullable=False),
        sa.Column("episodes", sa.Integer, nullable=False),
        sa.Column("solve_rate", sa.Float, nullable=False),
        sa.Column("f1", sa.Float, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("measured_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["arena_id"], ["env_server_arenas.id"], name="fk_env_server_solve_rates_arena_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arena_id", "policy", name="pk_env_server_solve_rates"),
    )


def downgrade() -> None:
    op.drop_table("env_server_solve_rates")
