"""The command ``astra-trainer``."""

from astra_service.serve import service_command

from astra_trainer.app import create_app
from astra_trainer.settings import Settings


def main() -> None:
    """Run the command line."""
    service_command("astra-trainer", "Trains and evaluates tool-using policies.", Settings, create_app)()
