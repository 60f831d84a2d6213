"""Keys, and whose each env is."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "env_server_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("max_envs", sa.Integer, nullable=True),
        sa.Column("steps_per_minute", sa.Integer, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=True),
        sa.Column("revoked_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_env_server_keys"),
    )
    op.create_index("ix_env_server_keys_tenant_id", "env_server_keys", ["tenant", "id"])
    # Envs that are there already were made with the root token.
    op.add_column("env_server_envs", sa.Column("tenant", sa.String(64), nullable=False, server_default="default"))
    op.add_column("env_server_envs", sa.Column("key_id", sa.String(32), nullable=True))
    op.create_index("ix_env_server_envs_key_id_status", "env_server_envs", ["key_id", "status"])


def downgrade() -> None:
    op.drop_index("ix_env_server_envs_key_id_status", "env_server_envs")
    op.drop_column("env_server_envs", "key_id")
    op.drop_column("env_server_envs", "tenant")
    op.drop_table("env_server_keys")
