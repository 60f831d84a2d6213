"""``python -m astra_trainer``."""

from astra_trainer.main import main

main()
