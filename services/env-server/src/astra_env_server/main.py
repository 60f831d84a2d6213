"""The command `astra-env-server`."""

import asyncio
import contextlib
import signal
from typing import Annotated

import typer
from astra_proto.tiers import Isolation, Tiers, TierState
from astra_service import logs
from astra_service.serve import service_command
from astra_service.starting import read_settings

from astra_env_server.app import create_app, sandbox_options
from astra_env_server.routing.front import Front, addresses_of, serve_front
from astra_env_server.sandbox.opening import probe_tiers
from astra_env_server.settings import Settings


def main() -> None:
    """Serve, stand before several servers, say which tiers work here, or explain the settings."""
    cli = service_command("astra-env-server", "Runs arenas in isolation behind one contract.", Settings, create_app)
    cli.command()(tiers)
    cli.command()(front)
    cli()


def front(
    to: Annotated[str, typer.Option(metavar="NAME:PORT", help="The servers: a name that stands for all of them.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8003,
) -> None:
    """Give several servers one address: each connection goes to one of them."""
    settings = read_settings(Settings, {})
    name, _, number = to.rpartition(":")
    if not name or not (number.isascii() and number.isdigit() and 0 < int(number) < 65_536):
        raise typer.BadParameter(f"{to!r} is not NAME:PORT", param_hint="--to")
    logs.configure(settings.log_format, settings.log_level, "ASTRA env server front")

    async def serve() -> None:
        serving = asyncio.create_task(serve_front(Front(addresses_of(name), int(number)), host, port))
        for end in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(end, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    try:
        asyncio.run(serve())
    except OSError as error:
        raise SystemExit(f"cannot start: no listening on {host} port {port}: {error.strerror or error}") from None


def tiers() -> None:
    """Which tiers of isolation work on this machine, and why not the others: JSON on standard output."""
    found = asyncio.run(probe_tiers(sandbox_options(read_settings(Settings, {}))))
    states = [
        TierState(tier=Isolation(tier), works=state == "ok", reason=None if state == "ok" else state)
        for tier, state in found.items()
    ]
    typer.echo(Tiers(tiers=states).model_dump_json())
