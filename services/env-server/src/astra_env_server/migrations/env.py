from astra_env_server.models import metadata
from astra_service.database import run_migrations

run_migrations(metadata)
