"""`astra arena`: the published environments, and the gate before them."""

from pathlib import Path
from typing import Annotated

import typer
from astra_proto.arenas import Arena, ArenaSpec, ArenaView, PublishReply, Split
from astra_proto.errors import AstraError, UnsoundArena
from astra_proto.soundness import SoundnessReport
from astra_service.client import ApiClient
from pydantic import ValidationError

from astra import console
from astra.connect import Json, command
from astra.files import read_model
from astra.paging import listing

app = typer.Typer(
    name="arena", no_args_is_help=True, help="Arenas: the published environments, and the gate they pass."
)
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
async def check(envs: ApiClient, file: SpecFile, as_json: Json = False) -> None:
    """Put an arena through the soundness gate without publishing it; exit code 1 if it does not pass.

    Example: astra arena check my-arena.json
    """
    report = await envs.post("/arenas/check", read_model(file, ArenaSpec), SoundnessReport, repeatable=True)
    if as_json:
        console.emit(report)
    else:
        _report(report)
    if not report.sound:
        raise AstraError(f"{file} is not sound: {len(report.failures())} checks fail.")


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


def _report(report: SoundnessReport) -> None:
    rows = [("✓" if c.passed else "✗", c.name, c.detail) for c in report.checks]
    verdict = "sound" if report.sound else "not sound"
    console.table(
        f"\nSoundness: {verdict}, the golden calls earn {report.oracle_reward:.2f}", ("", "check", "seen"), rows
    )
