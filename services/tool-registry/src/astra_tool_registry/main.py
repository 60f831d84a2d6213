"""The registry's command line."""

from astra_service.serve import service_command

from astra_tool_registry.app import create_app
from astra_tool_registry.settings import Settings

command = service_command(
    "astra-tool-registry", "Serves tools, tool graphs and live tool sessions.", Settings, create_app
)


def main() -> None:
    """Run the command line."""
    command()
