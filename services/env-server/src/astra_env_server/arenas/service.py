"""Publishing arenas and finding them again."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import structlog
from astra_proto.arenas import Arena, ArenaSpec, ArenaView, PublishReply
from astra_proto.errors import CapacityReached, NotFound, Unavailable, UnsoundArena
from astra_proto.soundness import Check, SoundnessReport
from astra_service import cursors

from astra_env_server.arenas.demonstration import demonstration, layers
from astra_env_server.arenas.playable import Playable, playable
from astra_env_server.arenas.repository import ArenaRepository, ArenaRow, Wanted
from astra_env_server.gate import checks
from astra_env_server.gate.evidence import Evidence, Limits
from astra_env_server.metrics import Metrics
from astra_env_server.sandbox.base import Sandbox, SandboxError, SandboxFull
from astra_env_server.solve_rates.service import SolveRateBook

log = structlog.get_logger()

_CACHED = 256
_GATES_AT_ONCE = 4


class Arenas:
    """What the routes under ``/arenas`` do, and where envs get their arenas."""

    def __init__(
        self,
        repository: ArenaRepository,
        solve_rates: SolveRateBook,
        sandbox: Sandbox,
        limits: Limits,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._repository, self._solve_rates = repository, solve_rates
        self._sandbox, self._limits = sandbox, limits
        self._metrics, self._now = metrics, now
        self._gates = asyncio.Semaphore(_GATES_AT_ONCE)
        self._ready: OrderedDict[str, Playable] = OrderedDict()

    async def publish(self, spec: ArenaSpec) -> PublishReply:
        """Store a sound arena; the same content again is the same arena. Raises UnsoundArena with the report."""
        arena_id = spec.id()
        if there := await self._repository.get(arena_id):
            report = SoundnessReport.model_validate_json(there.soundness)
            return PublishReply(id=arena_id, created=False, soundness=report)
        verdict = await self._judge(arena_id, spec)
        report = verdict.report
        self._metrics.published.labels(str(report.sound).lower()).inc()
        if not report.sound:
            for failure in report.failures():
                self._metrics.refusals.labels(failure.name).inc()
            told = "; ".join(f"{failure.name}: {failure.detail}" for failure in report.failures())
            raise UnsoundArena(f"refused by {told}"[:8_000], report=report.model_dump(mode="json"))
        created = await self._repository.add(self._row(arena_id, spec, verdict))
        log.info("arena.published", arena_id=arena_id, created=created, domain=spec.domain, split=spec.split)
        return PublishReply(id=arena_id, created=created, soundness=report)

    async def check(self, spec: ArenaSpec) -> SoundnessReport:
        """The gate's report on an arena; nothing is stored."""
        return (await self._judge(spec.id(), spec)).report

    async def recheck(self, arena_id: str) -> SoundnessReport:
        """The gate's report on an arena that is published, given anew. The one it was published with stays."""
        return (await self._judge(arena_id, (await self.full(arena_id)).spec)).report

    async def soundness(self, arena_id: str) -> str:
        """The report that an arena was published with, as JSON."""
        return (await self._row_of(arena_id)).soundness

    async def view(self, arena_id: str) -> str:
        """The arena as an agent may see it, as JSON."""
        (view,) = await self._solve_rates.told_with([(arena_id, (await self._row_of(arena_id)).view)])
        return view

    async def full(self, arena_id: str) -> Arena:
        """The arena whole."""
        row = await self._row_of(arena_id)
        return Arena(
            id=row.id,
            spec=ArenaSpec.model_validate_json(row.spec),
            soundness=SoundnessReport.model_validate_json(row.soundness),
            solve_rates=await self._solve_rates.of(arena_id),
        )

    async def page(self, part: str, cursor: str | None, limit: int, wanted: Wanted) -> str:
        """A page of one part of every arena (``view`` or ``demonstration``), as JSON."""
        after = cursors.after(cursor)
        rows = await self._repository.page(part, wanted, after=after, limit=limit + 1)
        going_on = f'"{cursors.encode(rows[limit - 1][0])}"' if len(rows) > limit else "null"
        shown = rows[:limit]
        texts = await self._solve_rates.told_with(shown) if part == "view" else [text for _, text in shown]
        return f'{{"items":[{",".join(texts)}],"next_cursor":{going_on}}}'

    async def playable(self, arena_id: str) -> Playable:
        """The arena ready to be played; the last few hundred are kept."""
        if arena_id in self._ready:
            self._ready.move_to_end(arena_id)
            return self._ready[arena_id]
        row = await self._row_of(arena_id)
        self._ready[arena_id] = playable(arena_id, ArenaSpec.model_validate_json(row.spec))
        if len(self._ready) > _CACHED:
            self._ready.popitem(last=False)
        return self._ready[arena_id]

    async def _row_of(self, arena_id: str) -> ArenaRow:
        row = await self._repository.get(arena_id)
        if row is None:
            raise NotFound(f"no arena {arena_id!r}: GET /arenas lists those there are")
        return row

    async def _judge(self, arena_id: str, spec: ArenaSpec) -> checks.Verdict:
        async with self._gates:
            began = time.perf_counter()
            verdict = await self._judged(arena_id, spec)
            took = self._metrics.gate_seconds.labels(str(verdict.report.sound).lower())
            took.observe(time.perf_counter() - began)
            return verdict

    async def _judged(self, arena_id: str, spec: ArenaSpec) -> checks.Verdict:
        # Reading code can take long, and nothing else shall wait for it.
        reading = await asyncio.to_thread(checks.read, spec)
        if not all(check.passed for check in reading):
            return checks.verdict(reading, [], None)
        running, evidence = await self._run(arena_id, spec)
        return checks.verdict(reading, running, evidence)

    async def _run(self, arena_id: str, spec: ArenaSpec) -> tuple[list[Check], Evidence | None]:
        for last in (False, True):
            try:
                return await checks.run(arena_id, spec, self._sandbox, self._limits)
            except SandboxFull as error:
                raise CapacityReached(f"no room in the sandbox for the gate: {error}", retry_after_s=1) from error
            except SandboxError as error:
                log.warning("gate.sandbox_lost", arena_id=arena_id, error=str(error))
                if last:
                    raise Unavailable(f"the sandbox was lost twice while it ran this arena: {error}") from error
        raise AssertionError("the loop returns or raises")

    def _row(self, arena_id: str, spec: ArenaSpec, verdict: checks.Verdict) -> ArenaRow:
        arena = playable(arena_id, spec)
        hops = len(layers(spec.subtasks))
        view = ArenaView(
            id=arena_id,
            domain=spec.domain,
            language=spec.language,
            topology=spec.topology,
            split=spec.split,
            prompt=spec.prompt,
            tools=arena.tools,
            subtask_count=len(spec.subtasks),
            hops=hops,
            sound=verdict.report.sound,
            teacher=spec.provenance.teacher,
            stateful=spec.state is not None,
        )
        return ArenaRow(
            id=arena_id,
            split=spec.split.value,
            domain=spec.domain,
            spec=spec.model_dump_json(),
            view=view.model_dump_json(exclude={"solve_rates"}),  # measured later, and told with it
            soundness=verdict.report.model_dump_json(),
            demonstration=demonstration(arena, verdict.outputs).model_dump_json(),
            created_at=self._now(),
            topology=spec.topology.value,
            language=spec.language,
            hops=hops,
        )
