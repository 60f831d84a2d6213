"""Is the gate fooled? ``python -m tests.audit.run``: out/arenas/audit.json, and a table for people.

Sound arenas are damaged, one defect each, and sent to ``POST /arenas/check`` of a real env server with a real sandbox;
so are as many sound ones.
"""

import asyncio
import json
import random
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from astra_env_server.app import create_app
from astra_env_server.settings import Settings
from astra_proto.arenas import ArenaSpec
from pydantic import ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

import tests.audit.answers
import tests.audit.ends
import tests.audit.stateful
import tests.audit.steps
import tests.audit.told
import tests.audit.unsteady
import tests.audit.wiring  # noqa: F401 they add their variants
from tests.audit.damage import VARIANTS, DoesNotFit, Json, Target, Variant
from tests.audit.goods import from_files, from_teacher

console = Console(stderr=True, width=140)
_TRIES = 2_500
"""Arenas that are looked at until one fits; some variants fit one in some hundred."""
_AT_ONCE = 4
_MUST_ANSWER_STRANGERS = ("fallback",)
"""Defects that are none where the schema keeps away all calls that they would answer otherwise."""
_NOT_TRIED = ("golden_fails", "number_in_token", "heavy", "outside", "changes_nothing")
"""Defects whose golden call fails on purpose, or whose code is not to be run outside of the sandbox."""


@dataclass(frozen=True)
class Defective:
    """A damaged arena, and by what."""

    variant: Variant
    spec: Json


@dataclass
class Audit:
    """What the gate said."""

    defects: int = 0
    caught: int = 0
    by_kind: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    held_out: list[int] = field(default_factory=lambda: [0, 0])
    by_variant: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    checks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How many defects each check refused."""
    good: int = 0
    good_refused: int = 0
    missed: list[Json] = field(default_factory=list)
    refused: list[Json] = field(default_factory=list)
    gate_cpu_ms: float = 0.0
    """Of a good arena, in the mean, the sandbox included."""
    wall_s: float = 0.0

    def note(self, defective: Defective, failed: Sequence[Json]) -> None:
        """Count one damaged arena."""
        variant = defective.variant
        counts = [self.by_kind[variant.kind], self.by_variant[f"{variant.kind}/{variant.name}"]]
        for count in (*counts, *([self.held_out] if variant.held_out else [])):
            count[0] += bool(failed)
            count[1] += 1
        self.defects += 1
        self.caught += bool(failed)
        for check in failed:
            self.checks[check["name"]] += 1
        if not failed:
            self.missed.append({"kind": variant.kind, "variant": variant.name, "held_out": variant.held_out,
                                "spec": defective.spec})  # fmt: skip


def defectives(arenas: int, seed: int, kinds: Sequence[str] = (), *, held_out: bool = True) -> list[Defective]:
    """As many damaged arenas as wanted, kind after kind, each kind's variants in turn; those held out if wanted."""
    draw = random.Random(seed)
    pools = from_teacher(seed + 1)
    files = from_files()
    by_kind: dict[str, list[Variant]] = defaultdict(list)
    for variant in VARIANTS:
        if (not kinds or variant.kind in kinds) and (held_out or not variant.held_out):
            by_kind[variant.kind].append(variant)
    made = []
    for number in range(arenas):
        kind = sorted(by_kind)[number % len(by_kind)]
        variant = by_kind[kind][number // len(by_kind) % len(by_kind[kind])]
        for attempt in range(_TRIES):
            spec = deepcopy(draw.choice(files)) if files and attempt == 0 and draw.random() < 0.15 else next(pools)
            if damaged := _damaged(variant, spec, draw):
                made.append(Defective(variant, damaged))
                break
        else:
            raise RuntimeError(f"{kind}/{variant.name} fits none of {_TRIES} arenas")
    return made


def _damaged(variant: Variant, spec: Json, draw: random.Random) -> Json | None:
    before = deepcopy(spec)
    try:
        target = Target(spec, draw.choice(spec["subtasks"]), draw)
        sound = deepcopy(target)
        variant.damage(target)
        ArenaSpec.model_validate(spec)
        if variant.kind not in _NOT_TRIED and not target.answers():
            return None  # it would be refused for what it does not say
        if variant.kind in _MUST_ANSWER_STRANGERS and not any(
            target.said(arguments) != sound.said(arguments) for arguments in sound.strange()
        ):
            return None
    except (DoesNotFit, ValidationError):
        return None
    return spec if spec != before else None


@asynccontextmanager
async def gate() -> AsyncIterator[Callable[[Json], Awaitable[list[Json]]]]:
    """A real env server with a real sandbox: what it finds wrong with an arena."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = create_app(Settings(database_url=f"sqlite+aiosqlite:///{folder}/audit.db"))
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=120) as http,
        ):

            async def failed(spec: Json) -> list[Json]:
                reply = await http.post("/arenas/check", json=spec)
                if reply.status_code != 200:
                    raise RuntimeError(f"{reply.status_code}: {reply.text[:500]}")
                return [check for check in reply.json()["checks"] if not check["passed"]]

            yield failed


async def audit(damaged: Sequence[Defective], good: Sequence[Json]) -> Audit:
    """Ask the gate about all of them."""
    found = Audit()
    began, cpu = time.monotonic(), _cpu_s()
    async with gate() as failed:
        for at in track(range(0, len(good), _AT_ONCE), "good arenas", console=console):
            batch = good[at : at + _AT_ONCE]
            for spec, problems in zip(batch, await asyncio.gather(*map(failed, batch)), strict=True):
                found.good += 1
                if problems:
                    found.good_refused += 1
                    found.refused.append({"checks": problems, "spec": spec})
    found.gate_cpu_ms = round((_cpu_s() - cpu) * 1e3 / max(1, found.good), 1)
    async with gate() as failed:
        for at in track(range(0, len(damaged), _AT_ONCE), "damaged arenas", console=console):
            group = damaged[at : at + _AT_ONCE]
            for each, problems in zip(group, await asyncio.gather(*(failed(d.spec) for d in group)), strict=True):
                found.note(each, problems)
    found.wall_s = round(time.monotonic() - began, 1)
    return found


def _cpu_s() -> float:
    """Processor seconds of this process and of all its children that have ended, their children included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def show(found: Audit) -> None:
    """The table for people, and what slipped through."""
    table = Table("kind", "caught", "of", "", title="Damaged arenas that the gate refused")
    for kind, (caught, total) in sorted(found.by_kind.items()):
        table.add_row(kind, str(caught), str(total), "" if caught == total else f"[red]{total - caught} missed")
    table.add_row("all", str(found.caught), str(found.defects), f"{found.caught / max(1, found.defects):.1%}")
    table.add_row("held out", *map(str, found.held_out), f"{found.held_out[0] / max(1, found.held_out[1]):.1%}")
    console.print(table)
    for missed in found.missed:
        late = ", held out" if missed["held_out"] else ""
        console.print(f"missed: {missed['kind']}/{missed['variant']}{late} ({missed['spec']['provenance']['source']})")
    for refused in found.refused:
        told = "; ".join(f"{check['name']}: {check['detail']}" for check in refused["checks"])
        console.print(f"good, refused: {refused['spec']['provenance']['source']}: {told[:600]}", markup=False)
    console.print(
        f"{found.good_refused} of {found.good} good arenas refused; {found.wall_s:g} s; "
        f"{found.gate_cpu_ms:g} CPU-ms a good arena, the sandbox and the server included"
    )


def main(
    defects: Annotated[int, typer.Option(help="Damaged arenas")] = 410,
    good: Annotated[int, typer.Option(help="Sound arenas")] = 320,
    seed: Annotated[int, typer.Option(help="Other arenas, other draws")] = 1,
    kind: Annotated[list[str] | None, typer.Option(help="Only these kinds of defects")] = None,
    held_out: Annotated[bool, typer.Option(help="Also variants that are not looked at while the gate is made")] = True,
    out: Annotated[Path, typer.Option(help="The figures")] = Path("out/arenas/audit.json"),
) -> None:
    """Damage sound arenas and see what the gate says of them, and of sound ones."""
    files, drawn = from_files(), from_teacher(seed)
    sound = [*files, *(next(drawn) for _ in range(good - len(files)))][:good]
    found = asyncio.run(audit(defectives(defects, seed, kind or (), held_out=held_out), sound))
    show(found)
    out.parent.mkdir(parents=True, exist_ok=True)
    keys = (
        "defects",
        "caught",
        "by_kind",
        "good",
        "good_refused",
        "held_out",
        "gate_cpu_ms",
        "by_variant",
        "checks",
        "wall_s",
    )
    figures = {key: getattr(found, key) for key in keys}
    out.write_text(
        json.dumps({**figures, "missed": found.missed, "refused": found.refused}, indent=1, ensure_ascii=False)
    )
    enough = found.caught >= 0.99 * found.defects and found.good_refused <= 0.01 * found.good
    if not enough or any(caught < 0.95 * total for caught, total in found.by_kind.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
