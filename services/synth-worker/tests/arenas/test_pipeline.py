"""Pipeline B with the offline teacher, against a real env-server."""

from itertools import cycle

import pytest
from astra_proto.arenas import Arena, Split, Topology
from astra_proto.jobs import ArenaJob
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.llm.base import LLMFailed, Prompt
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.offline import OfflineTeacher
from astra_synth_worker.teacher.stateful.draw import Language, draw_stateful_arena
from astra_synth_worker.teacher.worlds import WORLDS

from .conftest import Contexts
from .saboteur import Saboteur

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("domain", "topology"), list(zip(sorted(WORLDS), cycle(Topology), strict=False)))
async def test_the_teachers_arenas_are_sound_and_are_those_it_draws(
    contexts: Contexts, domain: str, topology: Topology
) -> None:
    job = ArenaJob(domain=domain, topology=topology, seed=11)
    context = await contexts(job, OfflineTeacher())
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert arena.soundness.sound
    assert arena.soundness.oracle_reward == 1.0
    assert outcome.result["rounds"] == 1
    drawn = draw_arena(domain, 11, topology)
    assert arena.id == drawn.id()
    assert arena.spec.split is drawn.split
    assert arena.spec.provenance.teacher == "offline"
    asked = set(arena.spec.provenance.prompts)
    assert asked - {"tool_clusters"} == {
        *("qa_trace", "tool_necessity", "trace_dependency", "trace_atomicity", "trace_sequence", "trace_completeness"),
        *("tool_document", "tool_scale", "tool_call", "tool_code", "distractors"),
    }
    judges = ("dependency", "atomicity", "sequential", "completeness")
    assert arena.spec.provenance.scores == dict.fromkeys(judges, 1.0)
    assert outcome.result["score"] == 1.0
    assert outcome.result["topology"] == topology.value


async def test_an_arena_in_chinese_is_sound(contexts: Contexts) -> None:
    job = ArenaJob(domain="library", language="zh", topology=Topology.MULTI_HOP, hops=4, seed=5)
    context = await contexts(job, OfflineTeacher())
    outcome = await make_arena(job, context)
    assert outcome.result["arena_id"] == draw_arena("library", 5, Topology.MULTI_HOP, 4, "zh").id()


@pytest.mark.parametrize(("domain", "hops", "language"), [("travel", 6, "en"), ("retail", 6, "zh")])
async def test_an_arena_with_a_state_is_sound(contexts: Contexts, domain: str, hops: int, language: Language) -> None:
    job = ArenaJob(
        domain=domain, language=language, topology=Topology.MULTI_HOP, hops=hops, seed=5, stateful=True, split="train"
    )
    context = await contexts(job, OfflineTeacher())
    outcome = await make_arena(job, context)
    drawn = draw_stateful_arena(domain, 5, Topology.MULTI_HOP, hops, language)
    assert (outcome.result["arena_id"], outcome.result["stateful"]) == (drawn.id(), True)


async def test_a_job_done_again_asks_no_one_and_publishes_nothing_new(contexts: Contexts) -> None:
    job = ArenaJob(domain="retail", topology=Topology.PARALLEL_MULTI_HOP, seed=77)
    first = await make_arena(job, await contexts(job, Saboteur()))
    llm = Saboteur()
    second = await make_arena(job, await contexts(job, llm))
    assert llm.asked == []
    assert (first.result["created"], second.result["created"]) == (True, False)
    assert first.result["arena_id"] == second.result["arena_id"]


async def test_a_split_that_is_asked_for_is_kept(contexts: Contexts) -> None:
    job = ArenaJob(domain="clinic", seed=40, split=Split.VALIDATION)
    context = await contexts(job, OfflineTeacher())
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert arena.spec.split is Split.VALIDATION


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "alchemy"},
        {"question": "What is the price of tea in China?"},
        {"knowledge": "Tea grows in China."},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_the_teacher_says_what_it_does_not_know(contexts: Contexts, changes: dict[str, str]) -> None:
    job = ArenaJob.model_validate({"domain": "clinic", "seed": 1} | changes)
    with pytest.raises(LLMFailed, match="configure a model"):
        await make_arena(job, await contexts(job, OfflineTeacher()))


async def test_the_teacher_answers_its_own_question_when_asked_it(contexts: Contexts) -> None:
    drawn = draw_arena("clinic", 3)
    job = ArenaJob(domain="clinic", seed=3, question=drawn.prompt)
    outcome = await make_arena(job, await contexts(job, OfflineTeacher()))
    assert outcome.result["arena_id"] == drawn.id()


async def test_a_prompt_that_it_has_no_rule_for_is_not_answered() -> None:
    with pytest.raises(LLMFailed, match="no answer to 'poem'"):
        await OfflineTeacher().complete(Prompt("poem", {}))
