"""How Alembic reaches the worker's tables."""

from astra_service.database import run_migrations

from astra_synth_worker.models import Model

run_migrations(Model.metadata)
