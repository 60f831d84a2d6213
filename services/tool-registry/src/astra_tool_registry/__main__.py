"""``python -m astra_tool_registry``."""

from astra_tool_registry.main import main

main()
