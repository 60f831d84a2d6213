"""`astra registry`: tool servers, their tools, graphs and chains."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from astra_proto.errors import AstraError, NotFound
from astra_proto.pages import Page
from astra_proto.tools import (
    CallTool,
    CallToolReply,
    CatalogueEntry,
    ImportServer,
    OpenSession,
    SampleChains,
    ToolChain,
    ToolGraph,
    ToolServer,
    ToolSession,
)
from astra_service.client import ApiClient

from astra import console
from astra.connect import Json, command
from astra.files import read_model
from astra.paging import listing
from astra.progress import bars

app = typer.Typer(
    name="registry",
    no_args_is_help=True,
    help="Tool servers: import them, see their tools, graphs and chains, call a tool.",
)
ServerIdArgument = Annotated[str, typer.Argument(metavar="SERVER", help="Id of the tool server.")]


@command(app)
async def catalogue(registry: ApiClient, as_json: Json = False) -> None:
    """The tool servers the registry knows how to start.

    Example: astra registry catalogue
    """
    known = await listing(registry, "/catalogue", CatalogueEntry)
    if as_json:
        console.emit_all(known)
        return
    rows = [(e.server.id, e.server.domain, e.licence, e.server.description) for e in known]
    console.table("Catalogue", ("id", "domain", "licence", "is"), rows)
    console.say("\nImport one with `astra registry import ID`.", "dim")


@command(app, "import")
async def import_(
    registry: ApiClient,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids from the catalogue.")] = None,
    file: Annotated[Path | None, typer.Option(help="A JSON file that says how to start a server of your own.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalogue.")] = False,
    as_json: Json = False,
) -> None:
    """Start tool servers, list their tools, keep those that are fit to use. Importing again refreshes.

    Examples:

      astra registry import sqlite time

      astra registry import --file my-server.json

    The file holds {"id": …, "domain": …, "launch": {"command": "uvx", "args": ["my-mcp-server"]}}.
    """
    wanted = [read_model(file, ImportServer)] if file else []
    if ids or everything:
        known = {entry.server.id: entry.server for entry in await listing(registry, "/catalogue", CatalogueEntry)}
        if strange := [i for i in ids or [] if i not in known]:
            raise NotFound(f"the catalogue has no {', '.join(strange)}; it has {', '.join(known)}.")
        wanted += list(known.values()) if everything else [known[i] for i in ids or []]
    if not wanted:
        raise typer.BadParameter("name servers of the catalogue, or give --file or --all")
    with bars() as progress:
        bar = progress.add_task("Importing", total=len(wanted), note="")
        for entry in wanted:
            progress.update(bar, note=entry.id)
            server = await registry.post("/servers", entry, ToolServer)
            progress.advance(bar)
            if as_json:
                console.emit(server)
            else:
                left_out = f", {len(server.dropped)} left out" if server.dropped else ""
                console.say(f"{server.id}: {len(server.tools)} tools{left_out}")


@command(app)
async def ls(registry: ApiClient, as_json: Json = False) -> None:
    """The imported tool servers.

    Example: astra registry ls --json
    """
    servers = await listing(registry, "/servers", ToolServer)
    if as_json:
        console.emit_all(servers)
        return
    rows = [(s.id, s.domain, len(s.tools), len(s.dropped), s.title) for s in servers]
    empty = "No tool server is imported. See `astra registry catalogue`, then `astra registry import ID`."
    console.table("Tool servers", ("id", "domain", "tools", "left out", "title"), rows, empty=empty)


@command(app)
async def show(registry: ApiClient, server: ServerIdArgument, as_json: Json = False) -> None:
    """One tool server with its tools, and what was left out and why.

    Example: astra registry show sqlite
    """
    found = await registry.get(f"/servers/{server}", ToolServer)
    if as_json:
        console.emit(found)
        return
    rows = [
        (t.name, ", ".join(t.parameters.get("properties", {})), console.plain(t.description, 90)) for t in found.tools
    ]
    console.table(f"{found.id} · {found.title or found.domain}", ("tool", "arguments", "does"), rows)
    if found.dropped:
        console.table("\nLeft out", ("tool", "why"), found.dropped.items())


@command(app)
async def graph(
    registry: ApiClient,
    server: ServerIdArgument,
    build: Annotated[bool, typer.Option("--build", help="Build it (again) first.")] = False,
    as_json: Json = False,
) -> None:
    """Which tool may follow which, and what speaks for it.

    Example: astra registry graph sqlite --build
    """
    path = f"/servers/{server}/graph"
    found = (
        await registry.post(path, None, ToolGraph, repeatable=True) if build else await registry.get(path, ToolGraph)
    )
    if as_json:
        console.emit(found)
        return
    edges = sorted(found.edges, key=lambda edge: -edge.weight)
    rows = [(e.source, e.target, e.weight, ", ".join(f"{k} {v:.2f}" for k, v in e.evidence.items())) for e in edges]
    console.table(f"Graph of {server}: {len(found.nodes)} tools", ("from", "to", "weight", "evidence"), rows)


@command(app)
async def chains(
    registry: ApiClient,
    server: ServerIdArgument,
    count: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 10,
    min_length: Annotated[int, typer.Option(min=1, max=8, help="Fewest tools.")] = 2,
    max_length: Annotated[int, typer.Option(min=1, max=8, help="Most tools.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The same seed walks the same chains.")] = 0,
    as_json: Json = False,
) -> None:
    """Walk chains of tools through a server's graph.

    Example: astra registry chains sqlite --count 5 --seed 7
    """
    body = SampleChains(count=count, min_length=min_length, max_length=max_length, seed=seed)
    page = await registry.post(f"/servers/{server}/chains", body, Page[ToolChain], repeatable=True)
    if as_json:
        console.emit_all(page.items)
        return
    console.table(f"Chains of {server}", ("weight", "chain"), [(c.weight, " → ".join(c.tools)) for c in page.items])


@command(app)
async def call(
    registry: ApiClient,
    server: ServerIdArgument,
    tool: Annotated[str, typer.Argument(help="Name of the tool.")],
    arguments: Annotated[str, typer.Argument(help="Its arguments, a JSON object.")] = "{}",
    as_json: Json = False,
) -> None:
    """Call one tool in a session of its own and show what the server answered.

    Example: astra registry call time get_current_time '{"timezone": "UTC"}'
    """
    try:
        body = CallTool(name=tool, arguments=json.loads(arguments))
    except ValueError as error:
        raise typer.BadParameter(f"the arguments must be a JSON object: {error}") from None
    session = await registry.post(f"/servers/{server}/sessions", OpenSession(ttl_s=120), ToolSession)
    try:
        reply = await registry.post(f"/sessions/{session.id}/calls", body, CallToolReply)
    finally:
        await asyncio.shield(registry.delete(f"/sessions/{session.id}"))
    if as_json:
        console.emit(reply)
    else:
        console.say(reply.output)
    if not reply.ok:
        raise AstraError(f"the tool failed ({reply.error_class}): see its answer above.")
