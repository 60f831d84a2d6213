"""`astra synth`: have trajectories and arenas made."""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from astra_proto.arenas import Split, Topology
from astra_proto.errors import AstraError
from astra_proto.jobs import (
    ArenaStats,
    CreateJob,
    Job,
    JobStatus,
    Selection,
    SelectTraces,
    StageRecord,
    TrajectoryJob,
)
from astra_proto.pages import Page
from astra_proto.tools import SampleChains, ToolChain
from astra_service.client import ApiClient

from astra import console
from astra.arena_jobs import PAPER_MIX, arena_jobs, grouped, subjects, wanted_mix
from astra.connect import Json, command
from astra.paging import listing
from astra.progress import FINISHED, bars, count, follow_jobs

app = typer.Typer(
    name="synth", no_args_is_help=True, help="Synthesis: have trajectories and arenas made, follow the jobs."
)


class Language(StrEnum):
    """What arenas are told in."""

    EN = "en"
    ZH = "zh"


Count = Annotated[int, typer.Option(min=1, max=10_000, help="How many.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**31 - 1, help="The same seed asks for the same work, which is done once.")
]
Wait = Annotated[bool, typer.Option(help="Follow the jobs until they have finished; Ctrl-C only stops following.")]


@command(app)
async def trajectories(
    synth: ApiClient,
    registry: ApiClient,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Id of an imported tool server.")],
    count: Count = 10,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have an agent work on tasks for chains of a server's tools, with the real server answering.

    Example: astra synth trajectories sqlite --count 20 --seed 1
    """
    sampled = await registry.post(
        f"/servers/{server}/chains", SampleChains(count=min(count, 1_000), seed=seed), Page[ToolChain]
    )
    if not sampled.items:
        raise AstraError(f"no chains could be walked: build the graph with `astra registry graph {server} --build`.")
    chains = [sampled.items[i % len(sampled.items)].tools for i in range(count)]
    wanted = [
        CreateJob(
            key=f"cli:trajectory:{server}:{seed}:{i}",
            payload=TrajectoryJob(server_id=server, chain=chain, seed=seed + i),
        )
        for i, chain in enumerate(chains)
    ]
    await _follow("Trajectories", synth, wanted, wait, as_json)


@command(app)
async def arenas(
    synth: ApiClient,
    domains: Annotated[list[str] | None, typer.Argument(metavar="DOMAIN", help="What they are about.")] = None,
    count: Count = 10,
    seed: Seed = 0,
    question: Annotated[str | None, typer.Option(help="The main question; without it one is invented.")] = None,
    questions: Annotated[
        Path | None, typer.Option(help="JSON Lines of {question, domain, language}: each is decomposed.")
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="JSON Lines of {knowledge_corpus, domain, language}: questions are invented from it."),
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(help="JSON tree of {name, description, examples, children}: a leaf a question.")
    ] = None,
    hold_back: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the leaves' examples that are not shown.")
    ] = 0.5,
    language: Annotated[Language, typer.Option(help="What they are told in, where a row does not say.")] = Language.EN,
    stateful: Annotated[bool, typer.Option("--stateful", help="Tools share a state that some of them change.")] = False,
    topology: Annotated[Topology | None, typer.Option(help="Shape of every decomposition.")] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="Shares of shapes, as in multi_hop=0.35,single_hop=0.1; `paper` unless a shape is given."),
    ] = None,
    hops: Annotated[int | None, typer.Option(min=1, max=6, help="Layers of sub-questions.")] = None,
    min_hops: Annotated[int | None, typer.Option(min=1, max=6, help="At least so many layers.")] = None,
    max_hops: Annotated[int | None, typer.Option(min=1, max=6, help="At most so many layers.")] = None,
    split: Annotated[Split | None, typer.Option(help="Without it, drawn from a hash of the sort of question.")] = None,
    traces_only: Annotated[
        bool, typer.Option("--traces", help="Stop at scored traces, for `astra synth select`.")
    ] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have arenas made: a question decomposed, made into tools with code, checked in the sandbox, published.

    Examples:

      astra synth arenas weather --count 20 --mix multi_hop=0.6,parallel_multi_hop=0.4

      astra synth arenas --questions questions.jsonl --count 50 --traces

      astra synth arenas travel --topology multi_hop --min-hops 2 --max-hops 4 --language zh
    """
    more = {
        "language": language.value, "stateful": stateful, "hops": hops, "min_hops": min_hops, "max_hops": max_hops,
        "split": split, "until": "trace" if traces_only else "arena",
    }  # fmt: skip
    about = subjects(domains or [], questions, corpus, taxonomy, hold_back, random.Random(seed))
    if question is not None:
        about = [{**each, "question": question} for each in about]
    layers = range(hops or min_hops or 1, (hops or max_hops or 6) + 1)
    shapes = wanted_mix(mix, topology, layers, all("question" not in each for each in about))
    if topology is not None:
        more["topology"] = topology
    asked = arena_jobs(about, count, seed, shapes, **{k: v for k, v in more.items() if v is not None})
    group, wanted = grouped(asked)
    if not as_json:
        console.say(f"The jobs' group is {group}", "dim", to=console.err)
    await _follow("Traces" if traces_only else "Arenas", synth, wanted, wait, as_json)
    if wait and not as_json:
        told = f"have arenas made of the best by `astra synth select {group}`" if traces_only else "`astra arena ls`"
        console.say(f"Next: {told}; `astra synth stats {group}` says what came of all.", "dim", to=console.err)


@command(app)
async def select(
    synth: ApiClient,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group that `astra synth arenas --traces` named.")],
    quantile: Annotated[float, typer.Option(min=0, max=0.999, help="Keep traces at or above it.")] = 0.9,
    least: Annotated[float, typer.Option(min=0, max=1, help="And at or above this score.")] = 0.0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have arenas made of the best of a group's traces.

    Example: astra synth select cli:arena:0123456789abcdef: --quantile 0.9
    """
    asked = SelectTraces(key_prefix=group, quantile=quantile, least=least)
    made = await synth.post("/jobs/select", asked, Selection, repeatable=True)
    if as_json and not wait:
        console.emit(made)
        return
    at = "" if made.threshold is None else f", those of {made.threshold:.3f} and more"
    console.say(f"{made.scored} traces are scored; {len(made.jobs)} are selected{at}", to=console.err)
    if wait and made.jobs:
        found = [await synth.get(f"/jobs/{job}", Job) for job in made.jobs]
        again = [CreateJob(key=job.key, payload=job.payload, max_attempts=job.max_attempts) for job in found]
        await _follow("Arenas", synth, again, wait, as_json)


@command(app)
async def stats(
    synth: ApiClient,
    group: Annotated[str | None, typer.Argument(metavar="GROUP", help="Only the jobs of this group.")] = None,
    as_json: Json = False,
) -> None:
    """What came of the arena jobs: the mix by shape, layers, language and domain, and what was refused.

    Example: astra synth stats --json
    """
    found = await synth.get("/jobs/stats", ArenaStats, key_prefix=group)
    if as_json:
        console.emit(found)
        return
    console.say(f"{found.published} arenas published, {found.failed} jobs without one, {found.stateful} with a state")
    cost = f"{found.llm_calls} calls to the model, {found.tokens} tokens, {found.sandbox_runs} golden calls run"
    console.say(f"{cost}{_each(found)}\n", "dim")
    shapes = [
        (shape.value, found.topology.get(shape.value, 0), _share(found, shape), PAPER_MIX[shape]) for shape in PAPER_MIX
    ]
    console.table("Shapes", ("shape", "arenas", "share", "paper"), shapes)
    for name in ("hops", "language", "domain", "refused", "drafts_refused"):
        rows = list(getattr(found, name).items())
        if rows:
            console.table(f"\n{name.replace('_', ' ').capitalize()}", ("", "number"), rows)


def _each(found: ArenaStats) -> str:
    """What an arena has cost, those included of which nothing came."""
    if not found.published:
        return ""
    calls, tokens = found.llm_calls / found.published, found.tokens / found.published
    return f": {calls:.1f} calls and {tokens:.0f} tokens for each arena published"


def _share(found: ArenaStats, shape: Topology) -> float:
    return found.topology.get(shape.value, 0) / found.published if found.published else 0.0


@command(app)
async def jobs(
    synth: ApiClient,
    kind: Annotated[str | None, typer.Option(help="trajectory or arena")] = None,
    status: Annotated[JobStatus | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The jobs, and how they stand.

    Example: astra synth jobs --status failed
    """
    found = await listing(synth, "/jobs", Job, limit=limit, kind=kind, status=status)
    if as_json:
        console.emit_all(found)
        return
    rows = [(j.id, j.payload.kind, j.status, f"{j.attempt}/{j.max_attempts}", _outcome(j, 60)) for j in found]
    console.table("Jobs", ("id", "kind", "state", "tries", "outcome"), rows, empty="No such jobs.")


@command(app)
async def show(
    synth: ApiClient, job: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")], as_json: Json = False
) -> None:
    """One job and the stages it has been through.

    Example: astra synth show job_0123456789abcdef0123456789abcdef
    """
    found = await synth.get(f"/jobs/{job}", Job)
    if as_json:
        console.emit(found)
        return
    stages = await listing(synth, f"/jobs/{job}/stages", StageRecord)
    console.say(f"{found.id} · {found.payload.kind} · {found.status}\nkey {found.key}\n{_outcome(found)}\n")
    console.table("Stages", ("stage", "output"), [(s.name, console.plain(s.output, 200)) for s in stages])


async def _follow(title: str, synth: ApiClient, wanted: Sequence[CreateJob], wait: bool, as_json: bool) -> None:
    if wait:
        with bars() as progress:
            bar = progress.add_task(title, total=len(wanted), note="")
            found = await follow_jobs(
                synth,
                wanted,
                lambda now: progress.update(
                    bar,
                    completed=sum(j.status in FINISHED for j in now.values()),
                    note=f"{count(now, JobStatus.DONE)} good",
                ),
            )
    else:
        found = await follow_jobs(synth, wanted, lambda _: None, once=True)
    lost = [job for job in found.values() if job.status in (JobStatus.FAILED, JobStatus.DEAD)]
    if as_json:
        console.emit_all(found.values())
    else:
        _tell(title, found.values(), lost)
    if found and len(lost) == len(found):
        raise AstraError("nothing came of any of the jobs; `astra synth show JOB` has all that was tried.")


def _tell(title: str, found: Collection[Job], lost: Sequence[Job]) -> None:
    console.table(title, ("state", "jobs"), Counter(str(job.status) for job in found).items())
    if lost:
        refused = Counter(str(job.outcome.get("reason")) for job in lost)
        first = {str(job.outcome.get("reason")): job.outcome.get("detail") for job in reversed(lost)}
        rows = [(reason, number, console.plain(first[reason], 300)) for reason, number in refused.most_common()]
        console.table("\nRefused", ("reason", "jobs", "the first of them"), rows)


def _outcome(job: Job, limit: int | None = None) -> str:
    return console.plain("; ".join(f"{k}: {v}" for k, v in job.outcome.items()), limit)
