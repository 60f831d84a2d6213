"""Drawn distractors of an env; the shape and the depth of an arena, to list arenas by."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

arenas = sa.table(
    "env_server_arenas",
    sa.column("id", sa.String),
    sa.column("spec", sa.Text),
    sa.column("view", sa.Text),
    sa.column("topology", sa.String),
    sa.column("language", sa.String),
    sa.column("hops", sa.Integer),
)


def upgrade() -> None:
    op.add_column("env_server_envs", sa.Column("distractors", sa.Text, nullable=True))
    op.add_column("env_server_arenas", sa.Column("topology", sa.String(32), nullable=False, server_default=""))
    op.add_column("env_server_arenas", sa.Column("language", sa.String(8), nullable=False, server_default="en"))
    op.add_column("env_server_arenas", sa.Column("hops", sa.Integer, nullable=False, server_default="1"))
    op.create_index("ix_env_server_arenas_topology_id", "env_server_arenas", ["topology", "id"])
    connection = op.get_bind()
    ids = [row[0] for row in connection.execute(sa.select(arenas.c.id))]
    for arena_id in ids:
        row = connection.execute(sa.select(arenas.c.spec, arenas.c.view).where(arenas.c.id == arena_id)).one()
        spec, view = json.loads(row.spec), json.loads(row.view)
        depth: dict[int, int] = {}
        for task in spec["subtasks"]:
            depth[task["id"]] = 1 + max((depth[other] for other in task["depends_on"]), default=0)
        view["hops"] = max(depth.values())
        connection.execute(
            sa.update(arenas)
            .where(arenas.c.id == arena_id)
            .values(
                topology=spec["topology"],
                language=spec["language"],
                hops=view["hops"],
                view=json.dumps(view, ensure_ascii=False, separators=(",", ":")),
            )
        )


def downgrade() -> None:
    op.drop_index("ix_env_server_arenas_topology_id", "env_server_arenas")
    for column in ("hops", "language", "topology"):
        op.drop_column("env_server_arenas", column)
    op.drop_column("env_server_envs", "distractors")
