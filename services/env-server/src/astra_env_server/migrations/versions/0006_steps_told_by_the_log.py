"""How many steps an episode has is told by its log; a name of a step is looked for among the steps of its episode.

Each step then writes its own line and nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAMES = "uq_env_server_steps_env_id_episode_step_id"


def upgrade() -> None:
    with op.batch_alter_table("env_server_steps") as batch:
        batch.drop_constraint(NAMES, type_="unique")
    op.drop_column("env_server_envs", "steps")


def downgrade() -> None:
    op.add_column("env_server_envs", sa.Column("steps", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        'UPDATE env_server_envs SET steps = COALESCE((SELECT MAX(s."index") FROM env_server_steps AS s '
        "WHERE s.env_id = env_server_envs.id AND s.episode = env_server_envs.episode), 0)"
    )
    with op.batch_alter_table("env_server_steps") as batch:
        batch.create_unique_constraint(NAMES, ["env_id", "episode", "step_id"])
