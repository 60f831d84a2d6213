"""`astra synth`: have trajectories and arenas made."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer
from astra_proto.arenas import Split, Topology
from astra_proto.errors import AstraError
from astra_proto.jobs import ArenaJob, CreateJob, Job, JobStatus, StageRecord, TrajectoryJob
from astra_proto.pages import Page
from astra_proto.tools import SampleChains, ToolChain
from astra_service.client import ApiClient

from astra import console
from astra.connect import Json, command
from astra.paging import listing
from astra.progress import FINISHED, bars, count, follow_jobs

app = typer.Typer(
    name="synth", no_args_is_help=True, help="Synthesis: have trajectories and arenas made, follow the jobs."
)
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
    domain: Annotated[str, typer.Argument(help="What the arenas are about.")],
    count: Count = 10,
    seed: Seed = 0,
    question: Annotated[str | None, typer.Option(help="The main question; without it one is invented.")] = None,
    topology: Annotated[Topology | None, typer.Option(help="Shape of the decomposition.")] = None,
    hops: Annotated[int | None, typer.Option(min=1, max=6, help="Layers of sub-questions.")] = None,
    split: Annotated[Split | None, typer.Option(help="Without it, drawn from a hash of the question.")] = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Have arenas made: a question decomposed, made into tools with code, checked in the sandbox, published.

    Examples:

      astra synth arenas weather --count 20

      astra synth arenas travel --topology multi_hop --hops 3 --split test
    """
    asked = f"{domain}:{topology}:{hops}:{split}:{question}:{seed}"
    draw = random.Random(asked)
    wanted = [
        CreateJob(
            key=f"cli:arena:{draw.getrandbits(64):016x}:{i}",
            payload=ArenaJob(
                domain=domain, question=question, topology=topology, hops=hops, split=split, seed=(seed + i) % 2**31
            ),
        )
        for i in range(count)
    ]
    await _follow("Arenas", synth, wanted, wait, as_json)


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
    if as_json:
        console.emit_all(found.values())
        return
    console.table(title, ("state", "jobs"), Counter(str(job.status) for job in found.values()).items())
    refused = Counter(
        str(j.outcome.get("reason")) for j in found.values() if j.status in (JobStatus.FAILED, JobStatus.DEAD)
    )
    if refused:
        console.table("\nRefused", ("reason", "jobs"), refused.most_common())


def _outcome(job: Job, limit: int | None = None) -> str:
    return console.plain("; ".join(f"{k}: {v}" for k, v in job.outcome.items()), limit)
