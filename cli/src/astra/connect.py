"""Turns an async function that wants clients of services into a command that has them."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from astra_service.client import ApiClient

from astra.endpoints import ClientSettings, find
from astra.services import Service

Function = TypeVar("Function", bound=Callable[..., Awaitable[None]])

CLIENTS = {
    "registry": Service.TOOL_REGISTRY,
    "synth": Service.SYNTH_WORKER,
    "envs": Service.ENV_SERVER,
    "trainer": Service.TRAINER,
}
"""A parameter of one of these names gets a client of that service."""

PATIENCE_S = 300.0
"""Some calls are long: a first start of a tool server may fetch its package."""

PANEL = "Where the services are"
Url = Annotated[str | None, typer.Option(help="Address of the service this command speaks to.", rich_help_panel=PANEL)]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of the `astra up` to use; default .astra.", rich_help_panel=PANEL)
]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output, one document a line.")]


def command(group: typer.Typer, name: str | None = None) -> Callable[[Function], Function]:
    """Add an async function to a group of commands.

    Its parameters named in :data:`CLIENTS` are filled with clients, the others are the command's options and
    arguments; ``--url`` (for the first client) and ``--data-dir`` are added to them.
    """

    def register(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        wanted = [p for p in signature.parameters if p in CLIENTS]

        def run(*, url: str | None = None, data_dir: Path | None = None, **given: Any) -> None:
            asyncio.run(_call(function, wanted, url, data_dir, given))

        visible = [p.replace(kind=p.KEYWORD_ONLY) for n, p in signature.parameters.items() if n not in wanted]
        added = [
            inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Url),
            inspect.Parameter("data_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataDir),
        ]
        functools.update_wrapper(run, function)
        del run.__wrapped__  # type: ignore[attr-defined]  # or the signature below would be passed over
        run.__signature__ = inspect.Signature([*visible, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*visible, *added)}
        group.command(name)(run)
        return function

    return register


async def _call(
    function: Callable[..., Awaitable[None]],
    wanted: list[str],
    url: str | None,
    data_dir: Path | None,
    given: dict[str, Any],
) -> None:
    settings = ClientSettings(data_dir=data_dir) if data_dir else ClientSettings()
    async with AsyncExitStack() as stack:
        clients = {}
        for index, name in enumerate(wanted):
            address, token = find(CLIENTS[name], settings, url if index == 0 else None)
            clients[name] = await stack.enter_async_context(ApiClient(address, token, timeout_s=PATIENCE_S, retries=2))
        await function(**clients, **given)
