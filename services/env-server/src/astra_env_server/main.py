"""The command `astra-env-server`."""

from astra_service.serve import service_command

from astra_env_server.app import create_app
from astra_env_server.settings import Settings


def main() -> None:
    """Serve, or explain the settings."""
    service_command("astra-env-server", "Runs arenas in isolation behind one contract.", Settings, create_app)()
