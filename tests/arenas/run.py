"""Thousands of arenas from the offline teacher: synthesized, judged and published, in the paper's mix.

``python -m tests.arenas.run`` writes ``out/arenas/stats.json`` and ``out/arenas/mix.png``. What was done is kept in
``out/arenas/data``; a run that was cut off goes on there, unless ``--fresh`` has it begin anew.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from astra import console
from astra.paging import listing
from astra.progress import FINISHED, bars, count, follow_jobs
from astra_proto.arenas import ArenaView
from astra_proto.ids import content_id
from astra_proto.jobs import ArenaJob, CreateJob, Job, JobStatus
from astra_service.client import ApiClient
from pydantic import BaseModel

from tests.arenas import mix, picture, stats
from tests.arenas.distinct import draw
from tests.arenas.services import CONCURRENCY, Services, Used, running

SPENT = "spent.json"
QUIET_S = 20.0
"""Seconds between two lines about the progress where there is no terminal."""


class Spent(BaseModel):
    """What the runs on one folder have taken together."""

    plan: str
    """A hash of what was asked for."""
    asked: int
    runs: int = 0
    finished: int = 0
    """Jobs that ended in them."""
    wall_s: float = 0.0
    synth_worker_s: float = 0.0
    env_server_s: float = 0.0
    sandbox_s: float = 0.0

    def with_run(self, wall_s: float, finished: int, used: Used) -> "Spent":
        """With one run more."""
        return Spent(
            plan=self.plan,
            asked=self.asked,
            runs=self.runs + 1,
            finished=finished,
            wall_s=self.wall_s + wall_s,
            synth_worker_s=self.synth_worker_s + used.synth_worker,
            env_server_s=self.env_server_s + used.env_server,
            sandbox_s=self.sandbox_s + used.sandbox,
        )

    def cpu(self) -> stats.Cpu:
        """In milliseconds an arena."""
        each = 1_000 / max(1, self.finished)
        return stats.Cpu(
            synth_worker=round(self.synth_worker_s * each, 1),
            env_server=round(self.env_server_s * each, 1),
            sandbox=round(self.sandbox_s * each, 1),
        )


def main(
    count: Annotated[int, typer.Option(min=1, max=100_000, help="Arenas to ask for.")] = 2_000,
    out: Annotated[Path, typer.Option(help="Where results and what is stored go.")] = Path("out/arenas"),
    fresh: Annotated[bool, typer.Option(help="Begin anew, whatever was done before.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Jobs at once.")] = CONCURRENCY,
    distinct: Annotated[int, typer.Option(min=0, help="Arenas to draw, to see whether two are equal.")] = 5_000,
) -> None:
    """Make arenas, and say what they cost and what their mix is."""
    folder = out / "data"
    wanted = mix.jobs(count)
    plan = plan_id(wanted)
    spent = None if fresh else _cut_off(folder, plan)
    if spent is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        spent = Spent(plan=plan, asked=count)
    with running(folder, concurrency) as services:
        found = asyncio.run(_make(services, wanted, spent, folder))
    if distinct:
        found.distinct = draw(distinct)
    (out / "stats.json").write_text(found.model_dump_json(indent=2) + "\n")
    picture.draw(found, out / "mix.png")
    _tell(found, out)


def plan_id(wanted: Sequence[CreateJob]) -> str:
    """The name of what is asked for."""
    return content_id("plan", [job.key for job in wanted])


def _cut_off(folder: Path, plan: str) -> Spent | None:
    """What an earlier run on the same plan has taken, if it did not come to its end."""
    file = folder / SPENT
    spent = Spent.model_validate_json(file.read_text()) if file.exists() else None
    return spent if spent and spent.plan == plan and spent.finished < spent.asked else None


async def _make(services: Services, wanted: Sequence[CreateJob], before: Spent, folder: Path) -> stats.Stats:
    began, used = time.monotonic(), services.used()
    spent = before
    with bars() as progress:
        bar = progress.add_task("arenas", total=len(wanted), note="")
        told = began

        def changed(jobs: Mapping[str, Job]) -> None:
            nonlocal told, spent
            ended = sum(job.status in FINISHED for job in jobs.values())
            progress.update(bar, completed=ended, note=f"{count(jobs, JobStatus.DONE)} published")
            # Written down as it goes, so that a run that is killed is not forgotten by the next.
            spent = before.with_run(time.monotonic() - began, ended, services.used().since(used))
            (folder / SPENT).write_text(spent.model_dump_json())
            if not console.err.is_terminal and time.monotonic() - told > QUIET_S:
                told = time.monotonic()
                console.say(f"  … {ended}/{len(wanted)}", to=console.err)

        async with ApiClient(f"http://127.0.0.1:{services.synth_worker.port}") as synth:
            done = await follow_jobs(synth, wanted, changed)
    async with ApiClient(f"http://127.0.0.1:{services.env_server.port}") as envs:
        views = await listing(envs, "/arenas", ArenaView)
    lost = [job for job in done.values() if job.status in (JobStatus.FAILED, JobStatus.DEAD)]
    refused = Counter(str(job.outcome.get("reason", "unknown")) for job in lost)
    stateful = sum(
        isinstance(job.payload, ArenaJob) and job.payload.stateful and job.status is JobStatus.DONE
        for job in done.values()
    )
    return stats.build(
        views, asked=len(wanted), runs=spent.runs, wall_s=spent.wall_s, cores=len(os.sched_getaffinity(0)),
        refused=dict(refused.most_common()), stateful=stateful, cpu=spent.cpu(),
    )  # fmt: skip


def _tell(found: stats.Stats, out: Path) -> None:
    rows = [
        (name.replace("_", " "), 100 * share.share, 100 * (share.paper or 0.0))
        for name, share in (*found.topology.items(), *found.language.items())
    ]
    rows.append(("sub-questions, mean", found.hops.mean, found.hops.paper))
    console.table("\nThe mix, in % of the arenas", ("", "ours", "paper's"), rows)
    refused = ", ".join(f"{number} {reason}" for reason, number in found.refused.items()) or "none"
    cpu = found.cpu_ms
    console.say(
        f"\n{found.published} published of {found.asked} in {found.wall_s / 60:.1f} min; refused: {refused}.\n"
        f"CPU ms an arena: synth-worker {cpu.synth_worker:.0f}, env-server {cpu.env_server:.0f}, "
        f"sandbox {cpu.sandbox:.0f}.\nIn {out}: stats.json, mix.png."
    )


if __name__ == "__main__":
    typer.run(main)
