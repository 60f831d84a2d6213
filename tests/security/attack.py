"""Carries every probe out on every tier that works here: `python -m tests.security.attack`.

After each probe a neighbour in the same runner is asked whether it is unharmed, and a session of another arena is
opened and asked. Writes `out/security/attack.json` and ends with 1 when something is open that nothing explains.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import astra_env_server.sandbox as package
import psutil
from astra_env_server.sandbox.base import Limits, NoIsolation, Sandbox, SandboxError, Session
from astra_env_server.sandbox.opening import TIERS, Options, Tier, open_sandbox, probe_tiers
from astra_env_server.sandbox.pool import PoolSize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.security.catalogue import EXPLAINED, catalogue
from tests.security.probe import BYSTANDER, Field, Probe, Verdict, arena, function
from tests.security.service import SERVICE, runner_processes, serving

OUT = Path(__file__).parents[2] / "out" / "security" / "attack.json"
LIMITS = Limits(memory_bytes=256 * 2**20, output_bytes=64 * 1024, import_s=3.0, open_s=10.0)
LONGEST_S = 60.0
"""Of one probe with all that belongs to it: what takes longer has hung."""
HEALTH = arena(function("answer", "return 42", takes=""))


@dataclass
class Report:
    """What came of a tier's probes."""

    probes: int = 0
    blocked: int = 0
    open: list[dict[str, str]] = field(default_factory=list)
    """``probe``, ``why`` (empty when nothing explains it), ``seen``."""

    def add(self, name: str, verdict: Verdict) -> None:
        """Count one."""
        self.probes += 1
        self.blocked += verdict.blocked
        if not verdict.blocked:
            self.open.append({"probe": name, "why": EXPLAINED.get(name, ""), "seen": verdict.detail})

    def unexplained(self) -> list[dict[str, str]]:
        """What must not be open."""
        return [found for found in self.open if not found["why"]]


@contextlib.contextmanager
def surroundings() -> Iterator[dict[str, Any]]:
    """Things of the server that must stay out of reach: a file that any user may read, a port, an abstract socket."""
    with tempfile.TemporaryDirectory(prefix="astra-attack-") as name, socket.socket(socket.AF_UNIX) as abstract:
        folder = Path(name)
        folder.chmod(0o755)
        word = f"golden-{os.urandom(8).hex()}"
        (folder / "secret.txt").write_text(word)
        canary = f"astra-canary-{os.urandom(8).hex()}"
        abstract.bind(f"\0{canary}")
        abstract.listen()
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield {
                "secret": str(folder / "secret.txt"),
                "port": server.getsockname()[1],
                "server": os.getpid(),
                "home": str(Path.home()),
                "runner": str(Path(package.__file__).parent / "inside" / "session.py"),
                "abstract": canary,
                "word": word,
            }


async def carry_out(probe: Probe, ground: Field) -> Verdict:
    """The verdict on one probe, its neighbour and its server included."""
    try:
        async with asyncio.timeout(LONGEST_S):
            neighbour = await ground.sandbox.open(probe.bundle, 1)
            try:
                before = await _ask(neighbour)
                verdict = await probe.attack(ground)
                after = await _ask(neighbour)
            finally:
                await neighbour.close()
            if not verdict.blocked:
                return verdict
            if after != [before[0], before[1] + 1, before[2]]:
                return Verdict(False, f"a sibling was harmed: {before} then {after}")
            healthy = await ground.once(HEALTH, "answer")
            return verdict if healthy.output == "42" else Verdict(False, f"the next session gave {healthy.output}")
    except TimeoutError:
        return Verdict(False, f"no end after {LONGEST_S:g} s")
    except SandboxError as error:
        return Verdict(False, f"the sandbox failed: {type(error).__name__}: {error}"[:300])


async def _ask(neighbour: Session) -> list[int]:
    outcome = await neighbour.call(BYSTANDER.name, {}, 20.0)
    if not outcome.ok:
        raise SandboxError(f"a sibling was harmed: {outcome.output}")
    found: list[int] = json.loads(outcome.output)
    return found


Tick = Callable[[str], None]


async def attack_sandbox(tier: Tier, chosen: list[Probe], report: Report, tick: Tick) -> None:
    """Every probe on a sandbox of this tier; afterwards nothing may be left of it."""
    descriptors = psutil.Process().num_fds()
    with surroundings() as around:
        sandbox: Sandbox = await open_sandbox(tier, Options(LIMITS, PoolSize(max_runners=6, warm=1)))
        try:
            for probe in chosen:
                tick(probe.name)
                report.add(probe.name, await carry_out(probe, Field(sandbox, around)))
        finally:
            await sandbox.close()
    tick("leftovers")
    await asyncio.sleep(0.5)
    left = [f"{p.pid}: {' '.join(p.cmdline())[:80]}" for p in runner_processes(os.getpid())]
    more = psutil.Process().num_fds() - descriptors
    report.add(
        "leftovers", Verdict(not left and more <= 0, f"{len(left)} processes, {more} descriptors more {left[:3]}")
    )


async def attack_server(tier: Tier, names: list[str], report: Report, tick: Tick) -> None:
    """Line 40: a whole server of this tier, over HTTP."""
    async with serving(tier) as server:
        for name in names:
            tick(name)
            report.add(name, await _on_server(SERVICE[name](server), server.healthy))


async def _on_server(attack: Awaitable[Verdict], healthy: Callable[[], Awaitable[bool]]) -> Verdict:
    try:
        async with asyncio.timeout(LONGEST_S):
            verdict = await attack
            return verdict if not verdict.blocked or await healthy() else Verdict(False, "the server is not healthy")
    except TimeoutError:
        return Verdict(False, f"no end after {LONGEST_S:g} s")
    except AssertionError as error:
        return Verdict(False, str(error)[:300])


async def attack(tiers: list[Tier], only: str, console: Console) -> dict[str, Report]:
    """Attack these tiers; what came of it, by tier."""
    chosen = [probe for probe in catalogue() if only in probe.name]
    names = [name for name in SERVICE if only in name]
    reports: dict[str, Report] = {tier: Report() for tier in tiers}
    columns = (TextColumn("{task.description:42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for tier in tiers:
            task = progress.add_task(tier, total=len(chosen) + len(names) + 1)

            def tick(name: str, task: Any = task, tier: str = tier) -> None:
                progress.update(task, advance=1, description=f"{tier} {name}")

            began = time.monotonic()
            await attack_sandbox(tier, chosen, reports[tier], tick)
            await attack_server(tier, names, reports[tier], tick)
            found = reports[tier]
            progress.update(task, description=tier)
            console.print(f"{tier}: {found.blocked} of {found.probes} blocked in {time.monotonic() - began:.0f} s")
            for row in found.open:
                console.print(
                    f"  open: {row['probe']}: {row['why'] or 'UNEXPLAINED'} [{row['seen'][:200]}]", markup=False
                )
    return reports


def main() -> int:
    """Read the arguments, attack, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.attack", description=__doc__)
    parser.add_argument("--tier", action="append", choices=["landlock", "bubblewrap", "docker", "gvisor"], default=[])
    parser.add_argument("--only", default="", metavar="TEXT", help="probes with this in their name")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    states = asyncio.run(probe_tiers())
    for tier, state in states.items():
        if state != "ok":
            console.print(f"{tier} is left out: {state}", markup=False)
    tiers: list[Tier] = [tier for tier in TIERS if states[tier] == "ok" and tier in (given.tier or states)]
    if not tiers:
        raise NoIsolation("none of these tiers works on this machine")
    reports = asyncio.run(attack(tiers, given.only, console))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({tier: asdict(report) for tier, report in reports.items()}, indent=1) + "\n")
    return int(any(report.unexplained() for report in reports.values()))


if __name__ == "__main__":
    sys.exit(main())
