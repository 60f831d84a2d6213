"""The envs of a tenant, to list them by id."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_env_server_envs_tenant_id", "env_server_envs", ["tenant", "id"])


def downgrade() -> None:
    op.drop_index("ix_env_server_envs_tenant_id", "env_server_envs")
