"""The least isolation that an env asked for is kept with it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("env_server_envs", sa.Column("min_isolation", sa.String(16), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("env_server_envs") as table:
        table.drop_column("min_isolation")
