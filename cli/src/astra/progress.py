"""Progress bars on standard error, and the waiting that they show."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from astra_proto.jobs import CreateJob, CreateJobs, Job, JobStatus
from astra_proto.pages import Page
from astra_proto.runs import Evaluation, MetricPoint, Run, RunStatus
from astra_service.client import ApiClient
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from astra import console
from astra.paging import listing

FINISHED = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.DEAD})
ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED})
BATCH = 500
WINDOW = 50


@contextmanager
def bars() -> Iterator[Progress]:
    """Bars with a count, a note (field ``note``) and the time so far; silent where there is no terminal."""
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console.err, disable=not console.err.is_terminal) as progress:
        yield progress


def count(jobs: Mapping[str, Job], status: JobStatus) -> int:
    """How many jobs are in a state."""
    return sum(job.status is status for job in jobs.values())


async def follow_jobs(
    synth: ApiClient,
    wanted: Sequence[CreateJob],
    changed: Callable[[Mapping[str, Job]], None],
    *,
    every_s: float = 1.0,
    once: bool = False,
) -> dict[str, Job]:
    """Have jobs done: ask for them and ask again, until each has finished (``once``: ask once). Key to job.

    Asking again is how they are looked at: their keys make it harmless, and the reply is about them alone. Jobs are
    done about in the order in which they were queued, so once all are queued only the oldest unfinished ones are
    looked at.
    """
    jobs: dict[str, Job] = {}
    while left := [job for job in wanted if job.key not in jobs or jobs[job.key].status not in FINISHED]:
        if jobs:
            await asyncio.sleep(every_s)
            left = left[:WINDOW]
        for start in range(0, len(left), BATCH):
            body = CreateJobs(jobs=left[start : start + BATCH])
            page = await synth.post("/jobs", body, Page[Job], repeatable=True)
            jobs |= {job.key: job for job in page.items}
        changed(jobs)
        if once:
            break
    return jobs


async def follow_run(
    trainer: ApiClient, run: Run, changed: Callable[[Run, list[MetricPoint]], None], *, every_s: float = 1.0
) -> Run:
    """Wait for a training run to end."""
    while True:
        changed(run, await listing(trainer, f"/runs/{run.id}/metrics", MetricPoint))
        if run.status in ENDED:
            return run
        await asyncio.sleep(every_s)
        run = await trainer.get(f"/runs/{run.id}", Run)


async def follow_evaluation(trainer: ApiClient, evaluation: Evaluation, *, every_s: float = 1.0) -> Evaluation:
    """Wait for an evaluation to end."""
    while evaluation.status not in ENDED:
        await asyncio.sleep(every_s)
        evaluation = await trainer.get(f"/evaluations/{evaluation.id}", Evaluation)
    return evaluation


async def while_waiting(text: str, work: Awaitable[object]) -> None:
    """Show that something of unknown length goes on."""
    with bars() as progress:
        progress.add_task(text, total=None, note="")
        await work
