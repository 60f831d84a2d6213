"""The first half of the demo: tool servers, trajectories and arenas."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from astra_proto.arenas import Arena, Split
from astra_proto.errors import AstraError
from astra_proto.jobs import CreateJob, Job, JobStatus
from astra_proto.messages import ToolMessage
from astra_proto.pages import Page
from astra_proto.tools import CatalogueEntry, SampleChains, ToolChain, ToolGraph, ToolServer
from astra_proto.trajectories import Trajectory
from rich.progress import Progress

from astra import console
from astra.demo.clients import Clients
from astra.demo.plan import Plan
from astra.demo.story import Bar
from astra.paging import listing
from astra.progress import FINISHED, count, follow_jobs


@dataclass(frozen=True)
class Made:
    """What synthesis gave."""

    servers: list[str]
    tools: int
    arenas: list[str]
    """Ids of those that were published."""
    oracle_reward: float
    """The least that the golden calls of a published arena earn."""
    held_out_seen: int
    """Held-out arenas whose prompt is also that of an arena for training; there should be none."""
    refused: dict[str, int]
    """Reason to number of arenas."""
    kept: int
    """Trajectories that passed the filter."""
    dropped: dict[str, int]
    """Reason to number of trajectories."""
    tool_results: int
    """Answers of real tool servers in the kept trajectories."""


async def synthesize(plan: Plan, clients: Clients, progress: Progress) -> Made:
    """Arenas on one side, tool servers and then trajectories on the other, at the same time."""
    async with asyncio.TaskGroup() as together:
        arenas = together.create_task(
            _arenas(plan, clients, Bar(progress, "arenas", plan.train_arenas + plan.test_arenas))
        )
        rest = together.create_task(_tools_and_trajectories(plan, clients, progress))
    published, refused = arenas.result()
    seen = {arena.spec.prompt for arena in published if arena.spec.split is Split.TRAIN}
    servers, kept, dropped, tool_results = rest.result()
    return Made(
        servers=[server.id for server in servers],
        tools=sum(len(server.tools) for server in servers),
        arenas=[arena.id for arena in published],
        oracle_reward=min((arena.soundness.oracle_reward for arena in published), default=0.0),
        held_out_seen=sum(arena.spec.split is not Split.TRAIN and arena.spec.prompt in seen for arena in published),
        refused=refused,
        kept=kept,
        dropped=dropped,
        tool_results=tool_results,
    )


async def _arenas(plan: Plan, clients: Clients, bar: Bar) -> tuple[list[Arena], dict[str, int]]:
    jobs = await _done(clients, plan.arena_jobs(), bar, "published")
    ids = sorted({str(j.outcome["arena_id"]) for j in jobs.values() if j.status is JobStatus.DONE})
    room = asyncio.Semaphore(8)

    async def whole(arena_id: str) -> Arena:
        async with room:
            return await clients.envs.get(f"/arenas/{arena_id}/full", Arena)

    published = await asyncio.gather(*map(whole, ids))
    refused = _reasons(jobs)
    bar.end(f"{len(published)} published, {sum(refused.values())} refused")
    return published, refused


async def _tools_and_trajectories(
    plan: Plan, clients: Clients, progress: Progress
) -> tuple[list[ToolServer], int, dict[str, int], int]:
    importing = Bar(progress, "tool servers", plan.servers)
    waiting = Bar(progress, "trajectories", plan.trajectories)
    servers = await _import(plan, clients, importing)
    chains = await _chains(plan, clients, servers)
    importing.end(f"{len(servers)} with {sum(len(s.tools) for s in servers)} tools, {len(chains)} chains walked")
    jobs = await _done(clients, plan.trajectory_jobs(chains), waiting, "done")
    wanted = {str(job.outcome.get("trajectory_id")) for job in jobs.values()}
    found = [t for t in await listing(clients.synth, "/trajectories", Trajectory) if t.id in wanted]
    kept = [t for t in found if t.kept]
    results = sum(isinstance(message, ToolMessage) for t in kept for message in t.messages)
    dropped = Counter(t.reason for t in found if not t.kept) + Counter(_reasons(jobs))
    waiting.end(f"{len(kept)} kept, with {results} answers of real tools")
    return servers, len(kept), dict(dropped), results


async def _import(plan: Plan, clients: Clients, bar: Bar) -> list[ToolServer]:
    """The first servers of the catalogue that start here. One that does not is passed over, and said so."""
    there = {server.id: server for server in await listing(clients.registry, "/servers", ToolServer)}
    servers: list[ToolServer] = []
    for listed in await listing(clients.registry, "/catalogue", CatalogueEntry):
        entry = listed.server
        bar.update(len(servers), plan.servers, entry.id)
        if entry.id in there:
            servers.append(there[entry.id])
        else:
            try:
                servers.append(await clients.registry.post("/servers", entry, ToolServer))
            except AstraError as error:
                console.say(f"  tool server {entry.id} is passed over: {error.detail}", "yellow")
        if len(servers) == plan.servers:
            break
    if not servers:
        raise AstraError("no tool server of the catalogue could be started; `astra registry import --all` says why.")
    return servers


async def _chains(plan: Plan, clients: Clients, servers: list[ToolServer]) -> list[ToolChain]:
    """Chains of every server, by turns."""
    each = -(-plan.trajectories // len(servers))
    walked: list[list[ToolChain]] = []
    for server in servers:
        await clients.registry.post(f"/servers/{server.id}/graph", None, ToolGraph, repeatable=True)
        ask = SampleChains(count=each, seed=plan.seed)
        page = await clients.registry.post(f"/servers/{server.id}/chains", ask, Page[ToolChain], repeatable=True)
        if page.items:
            walked.append(page.items)
    return [chains[turn % len(chains)] for turn in range(each) for chains in walked]


async def _done(clients: Clients, wanted: list[CreateJob], bar: Bar, good: str) -> dict[str, Job]:
    def changed(jobs: Mapping[str, Job]) -> None:
        finished = sum(job.status in FINISHED for job in jobs.values())
        bar.update(finished, len(wanted), f"{count(jobs, JobStatus.DONE)} {good}")

    return await follow_jobs(clients.synth, wanted, changed)


def _reasons(jobs: Mapping[str, Job]) -> dict[str, int]:
    lost = (job for job in jobs.values() if job.status in (JobStatus.FAILED, JobStatus.DEAD))
    return dict(Counter(str(job.outcome.get("reason", "unknown")) for job in lost).most_common())
