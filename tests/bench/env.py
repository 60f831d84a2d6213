"""The benchmark of the env server: ``python -m tests.bench.env --help``."""

import json
import os
import platform
import shutil
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.bench import tables
from tests.bench.run import CACHE, Bench, Options, console
from tests.bench.summary import report


def _machine(options: Options) -> dict[str, Any]:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "processor": names[0].split(":", 1)[1].strip() if names else platform.processor(),
        "system": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": vars(options),
    }


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def main(
    out: Annotated[Path, typer.Option(help="Where the report goes; the same as Markdown beside it.")] = Path(
        "out/bench/env.json"
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Times that each cell is measured; the report holds medians.")] = 3,
    clients: Annotated[str, typer.Option(help="Clients at once, in a closed loop.")] = "1,16,64",
    steps: Annotated[int, typer.Option(min=1, help="Most env steps in a cell.")] = 1_200,
    seconds: Annotated[float, typer.Option(min=0.1, help="Most seconds of a cell.")] = 4.0,
    only: Annotated[
        str, typer.Option(help="Subjects: ceiling, rest, ws, batch, openenv_echo_ws, openenv_plain_ws. Empty: all.")
    ] = "",
    databases: Annotated[str, typer.Option(help="Where our step log is kept.")] = "sqlite,postgres",
    isolation: Annotated[str, typer.Option(help="The tier of ours; `auto` takes the strongest that works.")] = "auto",
    live: Annotated[int, typer.Option(min=0, help="Live envs that step once a second; 0 leaves it out.")] = 1_000,
    live_seconds: Annotated[int, typer.Option(min=2, max=29, help="For how long they do.")] = 20,
    with_moments: Annotated[
        bool, typer.Option("--moments/--no-moments", help="Resets, new arenas and live envs too.")
    ] = True,
    into: Annotated[
        Path | None, typer.Option(help="A page whose text between `<!-- bench -->` marks becomes the tables.")
    ] = None,
) -> None:
    """Measure the env server beside a bare FastAPI application (the ceiling) and beside OpenEnv, in one run.

    Each subject is a server process of its own with one uvicorn worker on loopback; the load is another process. CPU
    is that of the server and everything below it, sandbox included. It takes about five minutes on two cores.

    A quick look:        python -m tests.bench.env --rounds 1 --steps 300 --no-moments

    One path, compared:  python -m tests.bench.env --only ceiling,rest --databases sqlite --no-moments

    What cannot be measured is null in the report, with the reason under `why_null`. A time never makes it fail.
    """
    options = Options(
        rounds,
        tuple(int(n) for n in _names(clients)),
        steps,
        seconds,
        _names(only),
        _names(databases),
        isolation,
        live,
        live_seconds,
        with_moments,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    # Not under /tmp, which may be memory: a durable log is to be written to a disk.
    with tempfile.TemporaryDirectory(prefix="astra-bench-", dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres runs as another user
        bench = Bench(options, folder, stack)
        if subjects := bench.subjects():
            bench.rounds(subjects)
        stack.close()
        if options.moments:
            bench.moments()
        logs = CACHE / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        for log in folder.glob("*.log"):
            shutil.copy(log, logs)
        told = report(bench.seen, _machine(options))
    out.write_text(json.dumps(told, indent=1) + "\n")
    out.with_suffix(".md").write_text(tables.markdown(told))
    if into is not None:
        into.write_text(tables.between_marks(into.read_text(), tables.markdown(told)))
    tables.show(told, Console(width=max(Console().width, 130)))
    console.print(f"written: {out} and {out.with_suffix('.md')}; the servers' logs are in {logs}")


if __name__ == "__main__":
    typer.run(main)
