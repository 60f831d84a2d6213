"""``python -m astra`` is the same as ``astra``."""

from astra.main import main

main()
