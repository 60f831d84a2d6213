"""What an env's episodes pay: F1, recall or precision."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("env_server_envs", sa.Column("score", sa.String(16), nullable=False, server_default="f1"))


def downgrade() -> None:
    with op.batch_alter_table("env_server_envs") as table:
        table.drop_column("score")
