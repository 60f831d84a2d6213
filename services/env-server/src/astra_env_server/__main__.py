"""``python -m astra_env_server``."""

from astra_env_server.main import main

main()
