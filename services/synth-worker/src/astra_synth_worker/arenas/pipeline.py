"""Pipeline B, whole: a job's question decomposed, judged, made into tools, run, merged, published (paper §3.2)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from astra_proto.arenas import ArenaSpec, ArenaTool, Provenance, PublishReply
from astra_proto.errors import UnsoundArena
from astra_proto.jobs import ArenaJob
from astra_proto.traces import ScoredTrace, hop_levels, topology_of
from pydantic import JsonValue

from astra_synth_worker.arenas.assemble import assemble
from astra_synth_worker.arenas.clusters import might_be_one
from astra_synth_worker.arenas.distractors import Distractors, draw_distractors, refused_distractor
from astra_synth_worker.arenas.findings import blamed_distractors, refusals, report_of
from astra_synth_worker.arenas.merge import Merged, merge
from astra_synth_worker.arenas.naming import uniquely_named
from astra_synth_worker.arenas.part import Assignment, Drafted, Part, Refusal, assignment, draft_part
from astra_synth_worker.arenas.sandbox import Sandbox
from astra_synth_worker.arenas.tries import Try, by_reason
from astra_synth_worker.arenas.validation import Validated, validated_trace
from astra_synth_worker.jobs.context import Context, Outcome, Refused


async def make_arena(job: ArenaJob, context: Context) -> Outcome:
    """One arena, published; the outcome names it. Raises :class:`Refused` with the first thing nothing could mend.

    Golden calls are run in the sandbox, and the env-server's gate has the last word; what either finds goes into the
    next drafts of the parts it is about.
    """
    tries: list[Try] = []
    try:
        validated = await validated_trace(job, context, tries)
    except Refused as refused:
        raise Refused(refused.reason, refused.detail, counted=_counted(tries)) from None
    if job.until == "trace":
        made = _scored(validated, context).model_dump(mode="json")
        return Outcome({**_about(validated), "trace": made, **_counted(tries)})
    work = _Work(job, context, validated)
    try:
        return await work.arena()
    except Refused as refused:
        raise Refused(refused.reason, refused.detail, counted=work.counted()) from None


@dataclass(frozen=True)
class _Setback:
    """Why an attempt was not published, and the parts that are to be drafted anew."""

    reason: str
    detail: str
    refused: list[Refusal]


class _Work:
    """From a validated trace to a published arena."""

    def __init__(self, job: ArenaJob, context: Context, validated: Validated) -> None:
        self._job, self._context, self._validated = job, context, validated
        self._trace = validated.trace
        self._sandbox = Sandbox(context.env_server, self._trace, context.settings.part_sandbox_runs)
        self._tries = list(validated.tries)
        self._of_parts: dict[int, list[Try]] = {}
        self._distractors: list[ArenaTool] = []

    def counted(self) -> dict[str, JsonValue]:
        """What was refused so far, and how many golden calls were run."""
        tries = [*self._tries, *(each for tries in self._of_parts.values() for each in tries)]
        return {**_counted(tries), "sandbox_runs": self._sandbox.runs}

    async def arena(self) -> Outcome:
        """The outcome. Raises :class:`Refused`."""
        rounds = self._context.settings.arena_rounds
        work = [assignment(self._job, self._trace, sub) for sub in self._trace.subquestions if sub.needs_tool]
        parts = await self._drafted(work)
        self._distractors = await self._drawn(parts)
        made = await self._attempt(parts, 1)
        for number in range(2, rounds + 1):
            if isinstance(made, Outcome):
                return made
            parts = await self._redrafted(work, parts, made.refused, number)
            made = await self._attempt(parts, number)
        if isinstance(made, Outcome):
            return made
        for refusal in made.refused:
            self._of_parts[refusal.part.id] = [*refusal.part.tries, refusal.as_try()]
        raise Refused(made.reason, f"{made.detail} ({rounds} rounds)")

    async def _attempt(self, parts: list[Part], number: int) -> Outcome | _Setback:
        """Publish the parts, merged if that can be done and passes the gate, else each as it is."""
        if refused := await self._sandbox.refused(parts):
            return _Setback(refused[0].reason, refused[0].detail, refused)
        merged = await self._merged(parts, number)
        if merged is not None and merged.groups:
            made = await self._published(merged.parts, number, merged.groups)
            if isinstance(made, Outcome):
                return made
            self._tries.append(Try(step="merge", reason=made.reason, detail=made.detail[:2_000]))
        return await self._published(parts, number, [])

    async def _merged(self, parts: list[Part], number: int) -> Merged | None:
        if not might_be_one(parts):
            return None
        merged = await self._context.stage(
            "merge" if number == 1 else f"merge_{number}",
            {"trace": self._trace, "parts": parts},
            lambda: merge(self._job, self._trace, parts, self._context, self._sandbox),
            Merged,
        )
        self._tries += merged.tries
        return merged

    async def _published(self, parts: list[Part], number: int, groups: list[list[int]]) -> Outcome | _Setback:
        """Past the gate, or what it found. Distractors that it blames are left out from then on."""
        named, clashes = uniquely_named(parts)
        if clashes:
            return _Setback(clashes[0].reason, clashes[0].detail, clashes)
        spec = self._spec(named, [*self._tries, *(each for part in named for each in part.tries)])
        try:
            reply = await self._context.env_server.post("/arenas", spec, PublishReply, repeatable=True)
        except UnsoundArena as error:
            report = report_of(error)
            blamed = blamed_distractors(report, spec.distractors)
            out = [tool for tool in self._distractors if tool.name in blamed]
            self._tries += [refused_distractor(tool, blamed[tool.name].name, blamed[tool.name].detail) for tool in out]
            self._distractors = [tool for tool in self._distractors if tool.name not in blamed]
            first = report.failures()[0]
            return _Setback(first.name, first.detail, refusals(report, named, blamed))
        return Outcome(
            {
                **_about(self._validated),
                "arena_id": reply.id,
                "created": reply.created,
                "rounds": number,
                "merged": [list[JsonValue](ids) for ids in groups],
                **self.counted(),
            }
        )

    async def _drafted(self, work: Sequence[Assignment]) -> list[Part]:
        """The parts, drafted side by side."""

        def staged(given: Assignment) -> Awaitable[Drafted]:
            name = f"part_{given.sub.id}"
            return self._context.stage(name, given, lambda: draft_part(given, self._context), Drafted)

        # Each runs to its end, also when another fails: what it spent and made is stored for the next attempt.
        made = await asyncio.gather(*map(staged, work), return_exceptions=True)
        if errors := [each for each in made if isinstance(each, BaseException)]:
            raise errors[0]
        drafted = [each for each in made if isinstance(each, Drafted)]
        for given, each in zip(work, drafted, strict=True):
            self._of_parts[given.sub.id] = each.tries()
        if failures := [each.failure for each in drafted if each.failure is not None]:
            raise failures[0].refusal()
        return [each.part for each in drafted if each.part is not None]

    async def _redrafted(
        self, work: list[Assignment], parts: list[Part], refused: list[Refusal], number: int
    ) -> list[Part]:
        about = {refusal.part.id: refusal for refusal in refused}
        again = [
            given.model_copy(update={"round": number, "refused": about[given.sub.id]})
            for given in work
            if given.sub.id in about
        ]
        return [part for part in parts if part.id not in about] + await self._drafted(again)

    async def _drawn(self, parts: list[Part]) -> list[ArenaTool]:
        if self._context.settings.distractors == 0:
            return []
        drawn = await self._context.stage(
            "distractors",
            {"job": self._job, "trace": self._trace, "tools": sorted({part.tool.name for part in parts})},
            lambda: draw_distractors(self._job, self._context, self._trace, parts),
            Distractors,
        )
        self._tries += drawn.tries
        return drawn.tools

    def _spec(self, parts: list[Part], tries: list[Try]) -> ArenaSpec:
        job, spent = self._job, self._context.usage
        given = "question" if job.question else "knowledge" if job.knowledge else "taxonomy" if job.taxonomy else ""
        scores = self._validated.scores.model_dump()
        before = job.trace or ScoredTrace(trace=self._trace, scores=self._validated.scores)
        refused = Counter(before.refused) + Counter(by_reason(tries))
        provenance = Provenance(
            teacher=self._context.llm.name,
            source=given or f"{job.domain}/{job.seed}",
            seed=job.seed,
            tries=1 + refused.total(),
            refused=dict(sorted(refused.items())),
            scores={name: score for name, score in scores.items() if score is not None},
            prompts=dict(sorted((before.prompts | spent.prompts).items())),
            llm_calls=before.llm_calls + spent.calls,
            tokens=before.tokens + spent.prompt_tokens + spent.completion_tokens,
            sandbox_runs=self._sandbox.runs,
        )
        return assemble(self._trace, parts, self._distractors, provenance, job.split)


def _scored(validated: Validated, context: Context) -> ScoredTrace:
    """The trace for a job that goes on behind it, which cannot know otherwise what it has cost."""
    spent = context.usage
    return ScoredTrace(
        trace=validated.trace,
        scores=validated.scores,
        prompts=dict(sorted(spent.prompts.items())),
        llm_calls=spent.calls,
        tokens=spent.prompt_tokens + spent.completion_tokens,
        refused=by_reason(validated.tries),
    )


def _counted(tries: Sequence[Try]) -> dict[str, JsonValue]:
    """What was refused on the way, as it stands in a job's outcome."""
    return {"tries": dict[str, JsonValue](by_reason(tries))}


def _about(validated: Validated) -> dict[str, JsonValue]:
    """What is counted of a job's trace."""
    trace = validated.trace
    acted = {sub.id: sub.depends_on for sub in trace.subquestions if sub.needs_tool}
    return {
        "topology": topology_of(acted).value,
        "hops": max(hop_levels(acted).values()),
        "subtasks": len(acted),
        "stateful": trace.state is not None,
        "score": validated.scores.mean(),
    }
