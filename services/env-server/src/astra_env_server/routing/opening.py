"""Opens routing: for a server with a Redis to route by and an address to route to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from astra_service.tasks import end
from prometheus_client import Counter

from astra_env_server.envs.keeper import Keeper
from astra_env_server.routing.directory import Directory
from astra_env_server.routing.forward import Forwarder
from astra_env_server.routing.replica import Replica


def own_address(advertised_url: str) -> str:
    """The URL with the name of this machine put in, without a slash at its end."""
    return advertised_url.replace("{hostname}", socket.gethostname()).rstrip("/")


@asynccontextmanager
async def open_routing(redis_url: str, address: str, keeper: Keeper, forwarded: Counter) -> AsyncIterator[Replica]:
    """This server made known to the others, from here to the end of the block."""
    directory, forwarder = Directory(redis_url, address), Forwarder(address)
    replica = Replica(directory, forwarder, forwarded, held=keeper.held, holds=keeper.holds, let_go=keeper.let_go)
    keeper.on_taken(replica.taken)
    beating = asyncio.create_task(replica.run())
    try:
        yield replica
    finally:
        await end(beating)
        await directory.leave()
        await forwarder.close()
