"""Where a step of ours spends its CPU: ``python -m tests.bench.hotspots``, by py-spy, on the server under REST load.

py-spy looks at the running server from outside a few hundred times a second and costs it nothing that matters; a
tracing profiler would charge small Python functions many times what they cost.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.bench import arenas, usage
from tests.bench.cells import Load
from tests.bench.load import Plan
from tests.bench.players import Lacking
from tests.bench.servers import env_server

PY_SPY = "py-spy==0.4.3"
# The first that occurs in the file of the innermost frame names the group of a sample.
GROUPS = (
    ("astra_env_server/sandbox", "our sandbox wire"),
    ("astra_env_server/scoring", "our scoring"),
    ("astra_env_server", "our env routes and service"),
    ("astra_service", "our foundation (gate, metrics, sessions)"),
    ("astra_proto", "our contract models"),
    ("aiosqlite", "database driver"),
    ("asyncpg", "database driver"),
    ("sqlalchemy", "SQLAlchemy"),
    ("structlog", "logging"),
    ("prometheus_client", "metrics"),
    ("fastapi", "FastAPI"),
    ("starlette", "Starlette"),
    ("pydantic", "pydantic"),
    ("uvicorn", "uvicorn"),
    ("asyncio/runners", "uvloop, and what of C it calls"),
)
LAYERS = (
    ("sqlalchemy", "the database"),
    ("aiosqlite", "the database"),
    ("asyncpg", "the database"),
    ("astra_env_server/sandbox", "the sandbox's host side"),
    ("astra_env_server/scoring", "scoring"),
    ("astra_env_server/envs", "envs, beside these"),
    ("fastapi", "FastAPI, beside the route"),
    ("astra_service/http", "the gate before the routes"),
)
_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>[^()]*?)(?::(?P<line>\d+))?\)$")
Stack = list[tuple[str, str]]
"""Function and file, outermost first."""


def stacks(folded: str) -> Iterator[tuple[Stack, int]]:
    """The samples of py-spy's raw format: ``frame;frame;… count``, a frame being ``function (file:line)``."""
    for line in folded.splitlines():
        frames, _, count = line.rpartition(" ")
        seen = [match for frame in frames.split(";") if (match := _FRAME.match(frame))]
        if seen:
            yield [(match["function"], match["file"]) for match in seen], int(count)


def own_time(stack: Stack) -> str:
    """The group of the code that was running itself."""
    file = stack[-1][1]
    return next((name for part, name in GROUPS if part in file), f"Python's {Path(file).stem}")


def layer(stack: Stack) -> str:
    """The layer on whose behalf it ran: that of the innermost frame that belongs to one."""
    for _, file in reversed(stack):
        for part, name in LAYERS:
            if part in file:
                return name
    return "event loop and HTTP server"


def record(pid: int, seconds: float, out: Path, rate: int) -> subprocess.Popen[bytes]:
    """py-spy, looking at the process for so long."""
    uv = shutil.which("uv")
    program = (
        ["py-spy"] if shutil.which("py-spy") else [str(uv), "tool", "run", "--no-config", "--from", PY_SPY, "py-spy"]
    )
    arguments = ["record", "-p", str(pid), "-d", str(int(seconds)), "-r", str(rate), "-f", "raw", "-F", "-o", str(out)]
    return subprocess.Popen([*program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(
    clients: Annotated[int, typer.Option(min=1, help="Clients at once.")] = 16,
    seconds: Annotated[float, typer.Option(min=2, help="How long to look.")] = 8.0,
    steps: Annotated[int, typer.Option(min=1, help="Most steps; an env is opened for every 30.")] = 3_000,
    isolation: Annotated[str, typer.Option(help="The tier.")] = "auto",
    player: Annotated[str, typer.Option(help="rest, ws or batch.")] = "rest",
    database_url: Annotated[str, typer.Option(help="Empty: SQLite in a temporary folder.")] = "",
) -> None:
    """Say where a step's CPU goes in the env server: by layer, by library, by function."""
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="astra-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        url = database_url or f"sqlite+aiosqlite:///{folder / 'env.db'}"
        with env_server(folder, url, isolation=isolation) as server:
            stage = asyncio.run(arenas.publish(server.port, [arenas.example() or arenas.drawn(0)]))[0]
            calls = [vars(call) for call in stage.calls]
            plan = Plan(player, server.port, stage.arena_id, calls, clients, steps, seconds, warm_up=5)
            with Load(plan) as load:
                load.hear("ready")
                before = _cpu(server.pid)
                spy = record(server.pid, max(1, seconds - 1), folder / "folded", 400)
                load.say()
                ran = load.hear("ran")
                used = [
                    (late - early) * 1e3 / ran["steps"] for early, late in zip(before, _cpu(server.pid), strict=True)
                ]
                spy.wait()
                load.say()
        if not (folder / "folded").exists():
            raise Lacking("py-spy gave nothing: it needs ptrace, so run this as root or with SYS_PTRACE")
        samples = list(stacks((folder / "folded").read_text()))
    whole, loop, threads = used[0], used[2], used[1] - used[2]
    console.print(
        f"{ran['steps']} steps at {ran['rps']:.0f}/s, {whole:.3f} CPU ms each: {loop:.3f} in the server's event loop, "
        f"{threads:.3f} in its other threads, {whole - used[1]:.3f} in the sandbox"
    )
    weights = {True: loop, False: threads}
    samples_of = {on_loop: sum(count for stack, count in samples if is_loop(stack) == on_loop) for on_loop in weights}
    for title, name_of, most in VIEWS:
        spent: Counter[str] = Counter()
        for stack, count in samples:
            on_loop = is_loop(stack)
            spent[name_of(stack)] += count / samples_of[on_loop] * weights[on_loop]
        table = Table(title=title, title_justify="left")
        for column in ("what", "ms a step", "of the whole"):
            table.add_column(column, no_wrap=True)
        for what, cost in spent.most_common(most):
            table.add_row(what, f"{cost:.3f}", f"{cost / whole:.1%}")
        console.print(table)


def is_loop(stack: Stack) -> bool:
    """Whether the sample is of the main thread. A thread that waits for the disk looks busy to py-spy, so what each
    kind of thread really used is read from the kernel, and the samples only share it out."""
    return not any(file.endswith("threading.py") for _, file in stack[:3])


def where(stack: Stack) -> str:
    """The function that was running itself."""
    function, file = stack[-1]
    return f"{function} ({'/'.join(file.split('/')[-2:])})"


VIEWS = (("On whose behalf", layer, 12), ("In whose code", own_time, 16), ("In which function", where, 30))


def _cpu(pid: int) -> tuple[float, float, float]:
    """Seconds of the tree, of the server, of its main thread."""
    loop = int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
    return usage.cpu_seconds(pid), usage.own_cpu_seconds(pid), loop


if __name__ == "__main__":
    typer.run(main)
