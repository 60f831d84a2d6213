"""Which ports the services get: their own, or a free one where that is taken."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from astra.services import Service

HOST = "127.0.0.1"


def choose(first: int | None) -> Mapping[Service, int]:
    """A port for each service: ``first`` and the three behind it (default 8001-8004), 0 for any that are free.

    All are held at once while choosing, so that no two services get the same.
    """
    with ExitStack() as held:
        ports = {}
        for index, service in enumerate(Service):
            wanted = service.port if first is None else first + index if first else 0
            ports[service] = _reserve(held, wanted)
        return ports


def _reserve(held: ExitStack, wanted: int) -> int:
    try:
        listener = socket.create_server((HOST, wanted))
    except OSError:
        listener = socket.create_server((HOST, 0))
    port: int = held.enter_context(listener).getsockname()[1]
    return port
