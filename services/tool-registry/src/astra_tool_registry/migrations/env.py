from astra_service.database import run_migrations
from astra_tool_registry.models import Table

run_migrations(Table.metadata)
