"""One arena from a world and a seed: a pure function, the same on every machine."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from astra_proto.arenas import ArenaSpec, ArenaTool, GoldenCall, Provenance, Split, Topology
from astra_proto.ids import canonical_json
from astra_proto.traces import QATrace, SubQuestion

from astra_synth_worker.arenas.assemble import assemble
from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.teacher import code, text
from astra_synth_worker.teacher.facts import Facts, Value, draw_facts
from astra_synth_worker.teacher.plan import NoPlan, Plan, choose_shape, draw_plan
from astra_synth_worker.teacher.world import Kind, World
from astra_synth_worker.teacher.worlds import WORLDS

Language = Literal["en", "zh"]
TRIES = 500


@dataclass(frozen=True)
class Sketch:
    """All that an arena is made of, before it is put together."""

    trace: QATrace
    parts: list[Part]
    distractors: list[ArenaTool]

    def arena(self, seed: int, split: Split | None) -> ArenaSpec:
        """The parts put together."""
        domain = self.trace.domain
        provenance = Provenance(teacher="offline", source=f"{domain}/{seed}", seed=seed)
        return assemble(self.trace, self.parts, self.distractors, provenance, split)


def draw_arena(
    domain: str,
    seed: int,
    topology: Topology | None = None,
    hops: int | None = None,
    language: Language = "en",
    split: Split | None = None,
) -> ArenaSpec:
    """The arena that this seed draws from the world ``domain``; tables, names and question all follow from the seed.

    ``hops`` is the number of layers. Raises ValueError for a world, a language or a shape that there is not.
    """
    return draw_sketch(domain, seed, topology, hops, language).arena(seed, split)


def draw_sketch(
    domain: str, seed: int, topology: Topology | None = None, hops: int | None = None, language: Language = "en"
) -> Sketch:
    """The parts of :func:`draw_arena`'s arena."""
    world = WORLDS.get(domain)
    if world is None:
        raise ValueError(f"domain: the offline teacher knows {sorted(WORLDS)}, not {domain!r}")
    if language not in world.languages:
        raise ValueError(f"language: the world {domain!r} is told in {list(world.languages)}, not {language!r}")
    name = f"{domain}/{seed}/{topology or ''}/{hops or ''}/{language}"
    shape = choose_shape(random.Random(name), topology, hops)
    for attempt in range(TRIES):
        rng = random.Random(f"{name}/{attempt}")
        facts = draw_facts(world, rng, language)
        try:
            plan = draw_plan(world, facts, rng, *shape)
        except NoPlan:
            continue
        # Plain worlds have too few tools to be as choosy as the others.
        if _told_by_chance(world, facts, plan) if world.plain else _told_elsewhere(facts, plan):
            continue
        sketch = _sketch(world, facts, plan, rng, language)
        if sketch is not None:
            return sketch
    raise ValueError(f"topology: the world {domain!r} has no arena of the shape {shape[0]} with {shape[1]} layers")


def _told_elsewhere(facts: Facts, plan: Plan) -> bool:
    """Whether another of its tools has an answer in its table, and so could be asked for it by chance."""
    kinds = {step.kind.name: step.kind for step in plan.steps}
    for name in kinds:
        if _any_tells(facts.tables[name].values, {step.answer for step in plan.steps if step.kind.name != name}):
            return True
    return False


def _any_tells(values: Iterable[Value], answers: set[Value]) -> bool:
    """Whether one of the values is an answer, or a name with an answer in it: a club is called after its stadium."""
    texts = [answer for answer in answers if isinstance(answer, str)]
    return any(
        value in answers or (isinstance(value, str) and any(text in value and holds(value, text) for text in texts))
        for value in values
    )


def _told_by_chance(world: World, facts: Facts, plan: Plan) -> bool:
    """Whether a tool gives the answer of another one when it is asked what the arena's other calls ask."""
    for kind in {step.kind.name: step.kind for step in plan.steps}.values():
        own = [step.values for step in plan.steps if step.kind.name == kind.name]
        answers = {step.answer for step in plan.steps if step.kind.name != kind.name}
        for step in plan.steps:
            asked = _asked_alike(world, kind, step.values)
            if asked is None or asked in own:
                continue
            try:
                said = facts.answer(kind, asked)
            except KeyError:
                continue
            if said not in asked.values() and _any_tells([said], answers):
                return True
    return False


def _asked_alike(world: World, kind: Kind, values: dict[str, Value]) -> dict[str, Value] | None:
    """Arguments for a tool from those of another call: by name, or else by type; None where they do not suffice."""
    left = dict(values)
    asked: dict[str, Value] = {}
    for need in kind.needs:
        number = world.things[need].numbers is not None
        name = need if need in left else next((n for n, v in left.items() if isinstance(v, int) is number), None)
        if name is None:
            return None
        asked[need] = left.pop(name)
    return asked


def _sketch(world: World, facts: Facts, plan: Plan, rng: random.Random, language: Language) -> Sketch | None:
    """The sketch of a plan, or None where its words would give an answer away."""
    answers = [step.answer for step in plan.roots]
    trace = QATrace(
        domain=world.name,
        language=language,
        question=text.main_question(world, plan, rng, language),
        final_answer=answers[0] if len(answers) == 1 else list(answers),
        subquestions=[
            SubQuestion(
                id=step.id,
                question=text.sub_question(world, step, rng, language),
                answer=step.answer,
                depends_on=step.depends_on,
            )
            for step in plan.steps
        ],
    )
    parts = [
        Part(
            id=step.id,
            tool=tool(world, facts, step.kind, language),
            call=GoldenCall(name=step.kind.name, arguments=dict(step.values)),
        )
        for step in plan.steps
    ]
    distractors = _distractors(world, facts, plan, rng, language)
    seen = [trace.question]
    for each in (*(part.tool for part in parts), *distractors):
        seen += [each.name, each.description, canonical_json(each.parameters)]
    public = " ".join(seen).casefold()
    if any(str(step.answer).casefold() in public for step in plan.steps):
        return None
    return Sketch(trace, parts, distractors)


def tool(world: World, facts: Facts, kind: Kind, language: str) -> ArenaTool:
    """A tool kind with this drawing's rows in its code."""
    description = world.words(kind, language).description
    return ArenaTool(
        name=kind.name,
        description=description,
        parameters=code.parameters(world, kind),
        code=code.source(world, facts, kind, description),
    )


def _distractors(world: World, facts: Facts, plan: Plan, rng: random.Random, language: str) -> list[ArenaTool]:
    """One to three working tools that solve nothing: others of this world, now and then one of another world."""
    answers: set[Value] = {step.answer for step in plan.steps}
    used = {step.kind.name for step in plan.steps}
    own = [(world, facts, kind) for kind in world.kinds if kind.name not in used]
    near = [WORLDS[name] for name in world.neighbours]
    stranger = rng.choice([each for each in near if language in each.languages] or [world])
    if stranger is not world:
        strange = draw_facts(stranger, rng, language)
        own += [(stranger, strange, kind) for kind in rng.sample(stranger.kinds, 1)]
    harmless = [entry for entry in own if not _gives(entry[1], entry[2], answers, plan)]
    wanted = rng.randint(max(1, 3 - len(used)), max(1, min(3, 5 - len(used))))  # three to five tools in all
    return [tool(*entry, language) for entry in rng.sample(harmless, min(wanted, len(harmless)))]


def _gives(facts: Facts, kind: Kind, answers: set[Value], plan: Plan) -> bool:
    """Whether some row of the tool, or one of the golden calls' arguments, would lead to an answer."""
    if _any_tells(facts.tables[kind.name].values, answers):
        return True
    for step in plan.steps:
        if set(kind.needs) <= set(step.values):
            try:
                if _any_tells([facts.answer(kind, step.values)], answers):
                    return True
            except KeyError:
                continue
    return False
