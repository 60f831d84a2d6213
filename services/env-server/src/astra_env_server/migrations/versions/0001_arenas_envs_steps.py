"""Arenas, envs and the log of their steps."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "env_server_arenas",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("domain", sa.String(100), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("soundness", sa.Text, nullable=False),
        sa.Column("demonstration", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_env_server_arenas"),
    )
    op.create_index("ix_env_server_arenas_split_id", "env_server_arenas", ["split", "id"])
    op.create_index("ix_env_server_arenas_domain_id", "env_server_arenas", ["domain", "id"])
    op.create_table(
        "env_server_envs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("arena_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("max_steps", sa.Integer, nullable=False),
        sa.Column("ttl_s", sa.Float, nullable=False),
        sa.Column("reward_mode", sa.String(16), nullable=False),
        sa.Column("final_answer", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_env_server_envs"),
        sa.ForeignKeyConstraint(["arena_id"], ["env_server_arenas.id"], name="fk_env_server_envs_arena_id"),
    )
    op.create_index("ix_env_server_envs_status_expires_at", "env_server_envs", ["status", "expires_at"])
    op.create_table(
        "env_server_steps",
        sa.Column("env_id", sa.String(64), nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("step_id", sa.String(128), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("replayed", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("env_id", "episode", "index", name="pk_env_server_steps"),
        sa.ForeignKeyConstraint(
            ["env_id"], ["env_server_envs.id"], name="fk_env_server_steps_env_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("env_id", "episode", "step_id", name="uq_env_server_steps_env_id_episode_step_id"),
    )


def downgrade() -> None:
    for table in ("env_server_steps", "env_server_envs", "env_server_arenas"):
        op.drop_table(table)
