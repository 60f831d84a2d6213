"""`astra arena ls` and `show`: what is published."""

import json
from typing import Annotated, Any, Literal

import typer
from astra_proto.arenas import Arena, ArenaView, Split, Topology
from astra_service.client import ApiClient

from astra import console
from astra.commands.arena.group import ArenaIdArgument, app, show_report
from astra.commands.arena.rates import show_rates
from astra.connect import Json, command
from astra.paging import listing

OfSplit = Annotated[Split | None, typer.Option(help="Only this split.")]
OfDomain = Annotated[str | None, typer.Option(help="Only this domain.")]
OfTopology = Annotated[Topology | None, typer.Option(help="Only this shape.")]
OfLanguage = Annotated[Literal["en", "zh"] | None, typer.Option(help="Only this language.")]
MinHops = Annotated[int | None, typer.Option(min=1, max=64, help="So many layers of sub-tasks at least.")]
MaxHops = Annotated[int | None, typer.Option(min=1, max=64, help="So many at most.")]


@command(app)
async def ls(
    envs: ApiClient,
    split: OfSplit = None,
    domain: OfDomain = None,
    topology: OfTopology = None,
    language: OfLanguage = None,
    min_hops: MinHops = None,
    max_hops: MaxHops = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The published arenas.

    Example: astra arena ls --split test --topology multi_hop --limit 10
    """
    wanted = {"split": split, "domain": domain, "topology": topology, "language": language}
    found = await listing(
        envs, "/arenas", ArenaView, limit=limit, min_hops=min_hops, max_hops=max_hops, **wanted
    )  # fmt: skip
    if as_json:
        console.emit_all(found)
        return
    rows = [
        (a.id, a.domain, a.topology, a.hops, a.language, a.split, a.subtask_count, console.plain(a.prompt, 60))
        for a in found
    ]
    empty = "No such arenas. Have some made with `astra synth arenas DOMAIN`, or `astra arena publish FILE`."
    columns = ("id", "domain", "shape", "hops", "lang", "split", "sub-tasks", "prompt")
    console.table("Arenas", columns, rows, empty=empty)


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
    whole = await envs.get(f"/arenas/{arena}/full", Arena) if full else None
    if whole and as_json:
        console.emit(whole)
        return
    view = await envs.get(f"/arenas/{arena}", ArenaView)
    if as_json:
        console.emit(view)
        return
    hops = f"{view.hops} hop{'s' * (view.hops > 1)}"
    size = f"{view.subtask_count} sub-tasks in {hops}{', with a state' if view.stateful else ''}"
    facts = (view.id, view.domain, view.topology, size, view.language, view.split, f"made by {view.teacher}")
    console.say(f"{' · '.join(facts)}\n")
    console.say(view.prompt)
    console.table("\nTools", ("tool", "does"), [(t.function.name, t.function.description) for t in view.tools])
    show_rates(view.solve_rates)
    if whole:
        _show_inside(whole)


def _show_inside(whole: Arena) -> None:
    """What an agent never sees of an arena."""
    spec = whole.spec
    for tool in (*spec.tools, *spec.distractors):
        console.say(f"\n# {tool.name}{', a distractor' if tool in spec.distractors else ''}", "bold")
        console.say(tool.code)
    if spec.state is not None:
        console.say("\nInitial state", "bold")
        console.say(json.dumps(spec.state, indent=2, ensure_ascii=False))
    rows: list[tuple[Any, ...]] = [
        (
            t.id,
            ", ".join(map(str, t.depends_on)),
            t.question,
            t.tool,
            _json(t.golden_call.arguments),
            _json(t.answer.value),
            t.state_path,
        )
        for t in spec.subtasks
    ]
    columns = ["id", "needs", "question", "tool", "golden arguments", "answer", "in the state"]
    if spec.state is None:
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    console.table("\nSub-tasks", columns, rows)
    if spec.final_answer is not None:
        console.say(f"\nFinal answer: {_json(spec.final_answer.value)}")
    show_report(whole.soundness)
    told = spec.provenance.model_dump(mode="json", exclude_defaults=True)
    console.table("\nProvenance", ("", ""), [(name.replace("_", " "), _told(value)) for name, value in told.items()])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _told(value: Any) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)
