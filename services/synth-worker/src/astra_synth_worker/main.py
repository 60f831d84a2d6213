"""The command ``astra-synth-worker``."""

from astra_service.serve import service_command

from astra_synth_worker.app import create_app
from astra_synth_worker.settings import Settings


def main() -> None:
    """Run the command line."""
    service_command("astra-synth-worker", "Makes trajectories and arenas.", Settings, create_app)()
