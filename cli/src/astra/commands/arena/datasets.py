"""`astra arena dataset` and `import-rows`: many arenas as files, and rows of others as arenas."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from astra_datasets.importing import Defaults, Gate, RowReport, Verdict, import_row
from astra_datasets.reading import read_rows
from astra_datasets.search import Arguments, Run
from astra_datasets.writing import Part, write_dataset
from astra_proto.arenas import Arena, ArenaSpec, ArenaView, PublishReply, Split
from astra_proto.code_runs import RunCode, RunCodeReply
from astra_proto.envs import Call
from astra_proto.episodes import Demonstration
from astra_proto.errors import AstraError
from astra_proto.soundness import Check, SoundnessReport
from astra_service.client import ApiClient
from pydantic import BaseModel, ValidationError

from astra import console
from astra.commands.arena.catalogue import OfDomain, OfLanguage, OfSplit, OfTopology
from astra.commands.arena.group import app
from astra.commands.arena.stats import show
from astra.connect import Json, command
from astra.paging import items, listing

REFUSALS = (400, 413, 422)
"""What the server answers to what it cannot take, whatever state it is in."""
STYLES = {Verdict.SOUND: "green", Verdict.UNSOUND: "red", Verdict.BROKEN: "red", Verdict.INCOMPLETE: "yellow"}


@command(app)
async def dataset(
    envs: ApiClient,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; must be empty or not there.")],
    part: Annotated[list[Part] | None, typer.Option(help="Only this; may be given more than once.")] = None,
    split: OfSplit = None,
    domain: OfDomain = None,
    topology: OfTopology = None,
    language: OfLanguage = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many arenas.")] = None,
    name: Annotated[str, typer.Option(help="Title of the card.")] = "ASTRA arenas",
    licence: Annotated[str, typer.Option(help="Licence that the card names.")] = "apache-2.0",
    bare: Annotated[bool, typer.Option("--bare", help="RL rows with the four public columns alone.")] = False,
    as_json: Json = False,
) -> None:
    """Write published arenas as a dataset: JSON lines and Parquet, RL rows, conversations, Harbor tasks, a card.

    It holds the answers: keep the test split to yourself.

    Examples:

      astra arena dataset train-set --split train

      astra arena dataset tasks --part harbor --limit 20
    """
    parts = part or list(Part)
    wanted = {"split": split, "domain": domain, "topology": topology, "language": language}
    views = items(envs, "/arenas", ArenaView, limit=limit, **wanted)
    if not await listing(envs, "/arenas", ArenaView, limit=1, **wanted):
        raise AstraError("there are no such arenas, so nothing is written: `astra arena ls` has those there are.")
    arenas = _whole(envs, views, split if Part.SFT in parts else None, Part.SFT in parts)
    written = await write_dataset(folder, arenas, parts, name=name, licence=licence, bare=bare)
    if as_json:
        console.emit(written)
        return
    show(written.mix)
    console.say(f"\nWritten to {folder}; {folder / 'README.md'} says what is in it.")


async def _whole(
    envs: ApiClient, views: AsyncIterator[ArenaView], split: Split | None, episodes: bool
) -> AsyncIterator[tuple[Arena, Demonstration | None]]:
    # Both listings are by id, so one pass over each will do.
    shown = items(envs, "/demonstrations", Demonstration, split=split) if episodes else None
    episode = await anext(shown, None) if shown else None
    async for view in views:
        while shown and episode and episode.arena_id < view.id:
            episode = await anext(shown, None)
        fits = episode is not None and episode.arena_id == view.id
        yield await envs.get(f"/arenas/{view.id}/full", Arena), episode if fits else None


class Summary(BaseModel):
    """What became of all the rows."""

    rows: int
    verdicts: dict[str, int]
    faults: dict[str, int]
    """Rows that have such a fault, by its kind."""
    published: int


@command(app, "import-rows")
async def import_rows(
    envs: ApiClient,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines or Parquet.")],
    publish: Annotated[bool, typer.Option(help="Publish what is sound, or only say what is wrong.")] = True,
    domain: Annotated[str, typer.Option(help="Domain of rows that tell none.")] = "imported",
    split: Annotated[Split, typer.Option(help="Split of rows that tell none.")] = Split.TRAIN,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most so many rows.")] = None,
    as_json: Json = False,
) -> None:
    """Bring in RL rows, of the public ASTRA data or of `astra arena dataset`; tell what is wrong with each.

    The public rows tell no golden calls: they are looked for by trying,
    with values that the prompt, a schema or another call's output tells.
    What is found goes through the soundness gate as every arena does.

    Examples:

      astra arena import-rows train-00000.parquet --no-publish

      astra arena import-rows mine.jsonl --domain travel --json > report.jsonl
    """
    defaults = Defaults(domain=domain, split=split, source=file.name)
    verdicts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    published = 0
    for number, row in enumerate(_rows(file)):
        if number == limit:
            break
        report, spec = await import_row(number, row, defaults, _sandbox(envs), _gate(envs))
        if publish and spec is not None and report.verdict is Verdict.SOUND:
            reply = await envs.post("/arenas", spec, PublishReply, repeatable=True)
            report = report.model_copy(update={"created": reply.created})
            published += reply.created
        verdicts[report.verdict] += 1
        faults.update({one.kind for one in report.faults})
        _tell(report, as_json)
    summary = Summary(rows=sum(verdicts.values()), verdicts=verdicts, faults=faults, published=published)
    if as_json:
        console.emit(summary)
        return
    console.table("\nRows", ("verdict", "rows"), verdicts.most_common(), empty="The file has no rows.")
    console.table("\nFaults", ("what", "rows"), faults.most_common(), empty="None has a fault.")
    console.say(f"\n{published} arenas are published.")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from read_rows(file)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from None


def _sandbox(envs: ApiClient) -> Run:
    async def run(code: str, name: str, calls: Sequence[Arguments]) -> list[str | None]:
        if not calls:
            return []
        try:
            asked = RunCode(code=code, calls=[Call(name=name, arguments=arguments) for arguments in calls], timeout_s=2)
            reply = await envs.post("/sandbox/run", asked, RunCodeReply, repeatable=True)
        except (AstraError, ValidationError) as error:
            if isinstance(error, AstraError) and error.status not in REFUSALS:
                raise
            return [None] * len(calls)  # what the row holds cannot even be asked
        return [result.output if result.ok else None for result in reply.results]

    return run


def _gate(envs: ApiClient) -> Gate:
    async def gate(spec: ArenaSpec) -> SoundnessReport:
        try:
            return await envs.post("/arenas/check", spec, SoundnessReport, repeatable=True)
        except AstraError as error:
            if error.status not in REFUSALS:
                raise
            refused = Check(name="refused", passed=False, detail=error.detail)
            return SoundnessReport(sound=False, oracle_reward=0.0, checks=[refused])

    return gate


def _tell(report: RowReport, as_json: bool) -> None:
    if as_json:
        console.emit(report)
        return
    made = "" if report.created is None else " · published" if report.created else " · was there already"
    head = f"row {report.row}: {report.verdict} · {report.reachable} of {report.answers} answers within reach"
    console.say(f"{head}{f' · {report.arena}' if report.arena else ''}{made}", STYLES[report.verdict])
    for one in report.faults:
        console.say(f"  {one.kind} · {one.where}: {console.plain(one.detail, 200)}")
