"""How Alembic reaches the trainer's tables."""

from astra_service.database import run_migrations
from astra_trainer.models import Model

run_migrations(Model.metadata)
