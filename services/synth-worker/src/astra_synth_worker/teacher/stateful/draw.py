"""One arena with a state from a world and a seed: a pure function, the same on every machine.

The stories are played on the drawn state with the very functions that the arena's tools are made of, so every answer is
what a call gave or left behind. What would not hold together as an arena is drawn anew.
"""

import copy
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from astra_proto.arenas import ArenaSpec, ArenaTool, GoldenCall, Split, Topology
from astra_proto.ids import canonical_json
from astra_proto.state import NotThere, value_at
from astra_proto.traces import QATrace, SubQuestion
from pydantic import JsonValue

from astra_synth_worker.arenas.part import Part
from astra_synth_worker.teacher import draw
from astra_synth_worker.teacher.draw import Language
from astra_synth_worker.teacher.facts import draw_facts
from astra_synth_worker.teacher.plan import choose_shape
from astra_synth_worker.teacher.stateful.source import arena_tool
from astra_synth_worker.teacher.stateful.world import Move, NoStory, Scene, State, StatefulWorld, Storyline, Stretch
from astra_synth_worker.teacher.stateful.worlds import STATEFUL
from astra_synth_worker.teacher.worlds import WORLDS

_ALSO = {"en": " Apart from that: ", "zh": "另外："}
_AND = {"en": ", and ", "zh": "，以及"}
_SAY = {"en": " When all is done, tell me {}.", "zh": "全部办完后，请告诉我{}。"}


@dataclass(frozen=True)
class Done:
    """A move that was made."""

    chain: int
    move: Move
    result: dict[str, Any]
    answer: JsonValue


def draw_stateful_arena(
    domain: str,
    seed: int,
    topology: Topology | None = None,
    hops: int | None = None,
    language: Language = "en",
    split: Split | None = None,
) -> ArenaSpec:
    """The arena with a state that this seed draws from the world ``domain``. Raises ValueError as ``draw_arena``."""
    return draw_stateful(domain, seed, topology, hops, language).arena(seed, split)


def draw_stateful(
    domain: str, seed: int, topology: Topology | None = None, hops: int | None = None, language: Language = "en"
) -> draw.Sketch:
    """The parts of that arena. ``hops`` is the number of calls that follow from one another."""
    world = STATEFUL.get(domain)
    if world is None:
        raise ValueError(f"domain: the offline teacher has a state for {sorted(STATEFUL)}, not for {domain!r}")
    if language not in world.openings:
        raise ValueError(f"language: the world {domain!r} is told in {list(world.openings)}, not {language!r}")
    name = f"stateful/{domain}/{seed}/{topology or ''}/{hops or ''}/{language}"
    shape = choose_shape(random.Random(name), topology, hops)
    for attempt in range(draw.TRIES):
        rng = random.Random(f"{name}/{attempt}")
        state, newcomers = world.draw_state(rng, language)
        try:
            done = _play(world, state, newcomers, _lengths(rng, *shape), rng, language)
        except NoStory:
            continue
        if _holds_together(world, state, done):
            sketch = _sketch(world, state, done, rng, language)
            if not _tells(sketch, world, done):
                return sketch
    raise ValueError(f"topology: the world {domain!r} has no story of the shape {shape[0]} with {shape[1]} layers")


def _lengths(rng: random.Random, topology: Topology, hops: int) -> list[int]:
    """How many moves each of the arena's stories has."""
    match topology:
        case Topology.PARALLEL_SINGLE_HOP:
            return [1] * rng.choice([2, 2, 3])
        case Topology.PARALLEL_MULTI_HOP:
            return [hops, rng.randint(1, min(2, hops))]
        case _:
            return [hops]


def _play(
    world: StatefulWorld,
    initial: State,
    newcomers: Sequence[str],
    lengths: list[int],
    rng: random.Random,
    language: str,
) -> list[Done]:
    state, taken, done = copy.deepcopy(initial), set[str](), list[Done]()
    for chain, length in enumerate(lengths):
        line, first = _stretch(world, length, rng)
        scene = Scene(state, rng, Stretch(first, length), language, newcomers, taken)
        story = line.tell(scene)
        move = next(story, None)
        while move is not None:
            done.append(_make(world, state, chain, move))
            try:
                move = story.send(done[-1].result)
            except StopIteration:
                move = None
    return done


def _stretch(world: StatefulWorld, length: int, rng: random.Random) -> tuple[Storyline, int]:
    places = [(line, first) for line in world.storylines for first in range(line.moves - length + 1)]
    if not places:
        raise NoStory
    return rng.choice(places)


def _make(world: StatefulWorld, state: State, chain: int, move: Move) -> Done:
    try:
        result = world.tools[move.tool].function(state, **move.arguments)
    except ValueError:
        raise NoStory from None
    result = json.loads(json.dumps(result))
    answer = result[move.gives] if move.gives else value_at(state, move.path)
    return Done(chain, move, result, json.loads(json.dumps(answer)))


def _holds_together(world: StatefulWorld, initial: State, done: list[Done]) -> bool:
    """Whether something is done, each end is reached by its own call alone and lasts, and no story disturbs another."""
    if not any(each.move.path for each in done):
        return False  # nothing is changed: that needs no state
    calls = [canonical_json([each.move.tool, each.move.arguments]) for each in done]
    if len(set(calls)) < len(calls):
        return False
    for order in (done, sorted(done, key=lambda each: -each.chain)):
        state = copy.deepcopy(initial)
        for each in order:
            if _holds(each, initial) or _holds(each, state):
                return False
            try:
                again = _make(world, state, each.chain, each.move)
            except NoStory:
                return False
            if (again.result, again.answer) != (each.result, each.answer):
                return False
        if not all(_holds(each, state) for each in done if each.move.path):
            return False
    return True


def _holds(done: Done, state: State) -> bool:
    try:
        return bool(done.move.path) and value_at(state, done.move.path) == done.answer
    except NotThere:
        return False


def _sketch(
    world: StatefulWorld, state: State, done: list[Done], rng: random.Random, language: Language
) -> draw.Sketch:
    last = {each.chain: each for each in done}
    figures: list[JsonValue] = [each.result[world.tools[each.move.tool].figure] for each in last.values()]
    trace = QATrace(
        domain=world.name,
        language=language,
        question=_question(world, done, last, language),
        final_answer=figures[0] if len(figures) == 1 else figures,
        state=state,
        subquestions=[
            SubQuestion(
                id=number,
                question=each.move.ask[language],
                answer=each.answer,
                depends_on=[number - 1] if number > 1 and done[number - 2].chain == each.chain else [],
                state_path="".join(f"/{key}" for key in each.move.path) or None,
            )
            for number, each in enumerate(done, start=1)
        ],
    )
    parts = [
        Part(
            id=number,
            tool=arena_tool(each.move.tool, world.tools[each.move.tool], language),
            call=GoldenCall(name=each.move.tool, arguments=each.move.arguments),
        )
        for number, each in enumerate(done, start=1)
    ]
    return draw.Sketch(trace, parts, _distractors(world, done, rng, language))


def _question(world: StatefulWorld, done: list[Done], last: dict[int, Done], language: str) -> str:
    space = " " if language == "en" else ""
    told = [space.join(each.move.ask[language] for each in done if each.chain == chain) for chain in last]
    wanted = [
        world.tools[each.move.tool].figure_words[language].format(**each.move.arguments) for each in last.values()
    ]
    say = _SAY[language].format(_AND[language].join(dict.fromkeys(wanted)))
    return world.openings[language] + space + _ALSO[language].join(told) + say


def _distractors(world: StatefulWorld, done: list[Done], rng: random.Random, language: Language) -> list[ArenaTool]:
    """One or two tools of a world without a state, which know none of the answers."""
    stranger = WORLDS[world.neighbour]
    if language not in stranger.languages:
        return []
    facts = draw_facts(stranger, rng, language)
    tools = [draw.tool(stranger, facts, kind, language) for kind in stranger.kinds]
    known = [str(each.answer) for each in done if each.move.gives]
    harmless = [each for each in tools if each.name not in world.tools and not any(k in each.code for k in known)]
    return rng.sample(harmless, min(len(harmless), rng.randint(1, 2)))


def _tells(sketch: draw.Sketch, world: StatefulWorld, done: list[Done]) -> bool:
    """Whether something that has to be found out can be read where the agent reads."""
    shown = [sketch.trace.question]
    for each in (*(part.tool for part in sketch.parts), *sketch.distractors):
        shown += [each.name, each.description, canonical_json(each.parameters)]
    public = " ".join(shown).casefold()
    found = [str(each.answer) for each in done if each.move.gives]
    found += [str(each.result[world.tools[each.move.tool].figure]) for each in done]
    # Of ASCII, for Chinese is written without spaces: there is a token at the end of "商品VQ-311".
    return any(re.search(rf"(?a:(?<!\w)){re.escape(text.casefold())}(?a:(?!\w))", public) for text in found)
