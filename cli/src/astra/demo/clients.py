"""Clients of all four services at once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from astra_service.client import ApiClient

from astra.connect import PATIENCE_S
from astra.services import Service


@dataclass(frozen=True)
class Clients:
    """A client of each service."""

    registry: ApiClient
    synth: ApiClient
    envs: ApiClient
    trainer: ApiClient


@asynccontextmanager
async def open_clients(addresses: Mapping[Service, tuple[str, str | None]]) -> AsyncIterator[Clients]:
    """Clients for addresses with their tokens, closed at the end."""
    async with AsyncExitStack() as stack:
        opened = {
            service: await stack.enter_async_context(ApiClient(url, token, timeout_s=PATIENCE_S))
            for service, (url, token) in addresses.items()
        }
        yield Clients(
            registry=opened[Service.TOOL_REGISTRY],
            synth=opened[Service.SYNTH_WORKER],
            envs=opened[Service.ENV_SERVER],
            trainer=opened[Service.TRAINER],
        )
