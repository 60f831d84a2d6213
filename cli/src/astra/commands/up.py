"""`astra up`: the services on this machine until Ctrl-C."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from astra import console
from astra.embedded.signals import cancel_on_signal
from astra.embedded.stack import Stack
from astra.endpoints import ClientSettings
from astra.services import Service

STYLES = {"ready": "green", "ended": "red"}


def up(
    data_dir: Annotated[Path | None, typer.Option(help="Databases, logs and models go here; default .astra.")] = None,
    first_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_532, help="The services listen here and on the three ports behind; 0: any free."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Once ready, print where the services are as one JSON line.")
    ] = False,
) -> None:
    """Run all four services on this machine until Ctrl-C: SQLite, no Redis, no Docker, loopback only.

    A port that is taken is replaced by a free one; the other commands find the services all the same. With
    ASTRA_API_TOKEN set, every call must carry that token.

    Examples:

      astra up

      astra up --data-dir /tmp/try --first-port 0
    """
    settings = ClientSettings(data_dir=data_dir) if data_dir else ClientSettings()
    stack = Stack(settings.data_dir, token=settings.token(), first_port=first_port)
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve(stack, as_json))
    console.say("All services have ended.", to=console.err)


async def _serve(stack: Stack, as_json: bool) -> None:
    with cancel_on_signal():
        async with stack:
            with Live(render(stack), console=console.err, transient=as_json) as live:
                await stack.wait_ready(changed=lambda: live.update(render(stack)))
                live.update(render(stack))
            if as_json:
                console.emit(stack.endpoints)
            else:
                console.say(
                    f"\nEverything is up; data and logs are in {stack.data_dir}. Ctrl-C ends it. In another terminal:"
                )
                console.say(
                    "  astra registry catalogue   what tool servers there are\n"
                    "  astra demo                 the whole road"
                )
            await stack.watch()


def render(stack: Stack) -> Table:
    """The services, where they are and what they do."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("service", "address", "state", "documentation"):
        grid.add_column(column)
    for service in Service:
        url, state = stack.endpoints.urls[service], stack.states[service]
        style = STYLES.get(state.split(" ")[0], "yellow")
        grid.add_row(service, url, Text(console.plain(state, 60), style=style), f"{url}/docs")
    return grid
