"""The registry's command line."""

import asyncio

import typer
from astra_service.serve import service_command

from astra_tool_registry.app import create_app
from astra_tool_registry.catalogue import entries
from astra_tool_registry.gateway.connection import Connection, connected
from astra_tool_registry.settings import Settings

command = service_command(
    "astra-tool-registry", "Serves tools, tool graphs and live tool sessions.", Settings, create_app
)


@command.command()
def prefetch() -> None:
    """Start every server of the catalogue once, so that its packages are here and later starts need no network."""
    settings = Settings()

    async def tools_of(connection: Connection) -> int:
        return len(await connection.list_tools())

    for entry in entries():
        count = asyncio.run(connected(entry.server.launch, settings, tools_of))
        typer.echo(f"{entry.server.id}: {count} tools")


def main() -> None:
    """Run the command line."""
    command()
