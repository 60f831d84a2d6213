"""``python -m astra_synth_worker``."""

from astra_synth_worker.main import main

main()
