"""Servers and tools."""

import sqlalchemy as sa
from alembic import op
from astra_service.database import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tool_registry_servers",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("domain", sa.String(100), nullable=False),
        sa.Column("launch", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("dropped", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("proposed", Json, nullable=False),
        sa.Column("graph", Json, nullable=False),
        sa.Column("imported_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "tool_registry_tools",
        sa.Column(
            "server_id", sa.String(128), sa.ForeignKey("tool_registry_servers.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("output_schema", sa.JSON(none_as_null=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("tool_registry_tools")
    op.drop_table("tool_registry_servers")
