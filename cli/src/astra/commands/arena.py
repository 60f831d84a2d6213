"""`astra arena`: the published environments, and the gate before them."""

import re
from pathlib import Path
from typing import Annotated

import typer
from astra_proto.arena_files import MAX_BYTES, ArenaFile, is_arena_file, read_arena_file
from astra_proto.arenas import Arena, ArenaSpec, ArenaView, PublishReply, Split
from astra_proto.errors import AstraError, UnsoundArena
from astra_proto.soundness import SoundnessReport
from astra_service.client import ApiClient
from pydantic import ValidationError

from astra import console
from astra.connect import Json, command
from astra.files import read_bytes, read_model, told
from astra.paging import listing

app = typer.Typer(
    name="arena", no_args_is_help=True, help="Arenas: the published environments, and the gate they pass."
)
ARENA_ID = re.compile(r"ar_[0-9a-f]{32}")
ArenaIdArgument = Annotated[str, typer.Argument(metavar="ARENA", help="Id of the arena.")]
SpecFile = Annotated[Path, typer.Argument(metavar="FILE", help="JSON of an arena; - reads standard input.")]


@command(app)
async def ls(
    envs: ApiClient,
    split: Annotated[Split | None, typer.Option(help="Only this split.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The published arenas.

    Example: astra arena ls --split test --limit 10
    """
    found = await listing(envs, "/arenas", ArenaView, limit=limit, split=split, domain=domain)
    if as_json:
        console.emit_all(found)
        return
    rows = [(a.id, a.domain, a.topology, a.split, a.subtask_count, console.plain(a.prompt, 60)) for a in found]
    empty = "No such arenas. Have some made with `astra synth arenas DOMAIN`, or `astra arena publish FILE`."
    console.table("Arenas", ("id", "domain", "shape", "split", "sub-tasks", "prompt"), rows, empty=empty)


@command(app)
async def show(
    envs: ApiClient,
    arena: ArenaIdArgument,
    full: Annotated[bool, typer.Option("--full", help="With code, answers and golden calls.")] = False,
    as_json: Json = False,
) -> None:
    """One arena as an agent sees it, or whole.

    Example: astra arena show ar_0123456789abcdef0123456789abcdef --full --json > arena.json
    """
    if full:
        whole = await envs.get(f"/arenas/{arena}/full", Arena)
        if as_json:
            console.emit(whole)
            return
        view, spec = await envs.get(f"/arenas/{arena}", ArenaView), whole.spec
    else:
        view, spec = await envs.get(f"/arenas/{arena}", ArenaView), None
        if as_json:
            console.emit(view)
            return
    console.say(f"{view.id} · {view.domain} · {view.topology} · {view.split} · made by {view.teacher}\n")
    console.say(view.prompt)
    console.table("\nTools", ("tool", "does"), [(t.function.name, t.function.description) for t in view.tools])
    if spec:
        rows = [(t.id, t.question, t.tool, t.golden_call.arguments, t.answer.value) for t in spec.subtasks]
        console.table("\nSub-tasks", ("id", "question", "tool", "golden arguments", "answer"), rows)
        _report(whole.soundness)


@command(app)
async def check(
    envs: ApiClient,
    arena: Annotated[str, typer.Argument(metavar="FILE|ARENA", help="An exported arena, JSON of one, -, or an id.")],
    as_json: Json = False,
) -> None:
    """Put an arena through the soundness gate without publishing it; exit code 1 if it does not pass.

    Example: astra arena check my-arena.json
    """
    if _is_id(arena):
        report = await envs.post(f"/arenas/{arena}/check", None, SoundnessReport, repeatable=True)
    else:
        spec = _spec(read_bytes(Path(arena), MAX_BYTES), arena)
        report = await envs.post("/arenas/check", spec, SoundnessReport, repeatable=True)
    if as_json:
        console.emit(report)
    else:
        _report(report)
    if not report.sound:
        raise AstraError(f"{arena} is not sound: {len(report.failures())} checks fail.")


@command(app)
async def export(
    envs: ApiClient,
    arena: ArenaIdArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")] = None,
) -> None:
    """Write a published arena to one file, with its report and a hash of both. It holds the answers.

    Example: astra arena export ar_0123456789abcdef0123456789abcdef -o library.arena.json
    """
    text = ArenaFile.of(await envs.get(f"/arenas/{arena}/full", Arena)).text()
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error}") from None
    console.say(f"{arena} is in {output}, {len(text.encode())} bytes", to=console.err)


@command(app, "import")
async def import_files(
    envs: ApiClient,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Exported arenas; - reads standard input.")],
    as_json: Json = False,
) -> None:
    """Publish exported arenas. A file that was edited is refused before, an unsound arena by the gate.

    Example: astra arena import *.arena.json
    """
    # All are read before the first is published: a broken one among them changes nothing.
    read = [(file, _arena_file(read_bytes(file, MAX_BYTES), str(file))) for file in files]
    for file, carried in read:
        try:
            reply = await envs.post("/arenas", carried.spec, PublishReply, repeatable=True)
        except UnsoundArena as refusal:
            raise UnsoundArena(f"{file}: {refusal.detail}", **refusal.extra) from None
        if as_json:
            console.emit(reply)
        else:
            console.say(f"{reply.id} {'is published' if reply.created else 'was there already'}: {file}")


@command(app)
async def publish(envs: ApiClient, file: SpecFile, as_json: Json = False) -> None:
    """Publish an arena; the same content again is the same arena. Refused if it does not pass the gate.

    Example: astra arena publish my-arena.json
    """
    try:
        reply = await envs.post("/arenas", read_model(file, ArenaSpec), PublishReply, repeatable=True)
    except UnsoundArena as refusal:
        try:
            report = SoundnessReport.model_validate(refusal.extra.get("report"))
        except ValidationError:
            raise refusal from None
        if as_json:
            console.emit(report)
        else:
            _report(report)
        raise
    if as_json:
        console.emit(reply)
    else:
        console.say(f"{reply.id} {'is published' if reply.created else 'was there already'}")
        console.say(f"Play it with `astra env play {reply.id}`.", "dim")


def _is_id(named: str) -> bool:
    return ARENA_ID.fullmatch(named) is not None and not Path(named).exists()


def _arena_file(raw: bytes, name: str) -> ArenaFile:
    try:
        return read_arena_file(raw)
    except AstraError as error:
        raise type(error)(f"{name}: {error.detail}") from None


def _spec(raw: bytes, name: str) -> ArenaSpec:
    """The arena in an exported file, or the JSON of an arena alone."""
    try:
        bare = ArenaSpec.model_validate_json(raw)
    except ValidationError as error:
        if not is_arena_file(raw):
            raise typer.BadParameter(f"{name} is no arena: {told(error)}") from None
        return _arena_file(raw, name).spec
    return bare


def _report(report: SoundnessReport) -> None:
    rows = [("✓" if c.passed else "✗", c.name, c.detail, c.evidence) for c in report.checks]
    verdict = "sound" if report.sound else "not sound"
    console.table(
        f"\nSoundness: {verdict}, the golden calls earn {report.oracle_reward:.2f}",
        ("", "check", "what holds, or why not", "looked at"),
        rows,
    )
