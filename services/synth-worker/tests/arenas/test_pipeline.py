"""Pipeline B with the offline teacher, against a real env-server."""

import pytest
from astra_proto.arenas import Arena, Topology
from astra_proto.jobs import ArenaJob
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.teacher.draw import draw_arena
from astra_synth_worker.teacher.offline import OfflineTeacher
from astra_synth_worker.teacher.worlds import WORLDS

from .conftest import Contexts

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("domain", sorted(WORLDS))
@pytest.mark.parametrize("topology", list(Topology))
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
    assert set(arena.spec.provenance.prompts) == {"qa_trace", "tool_document", "tool_call", "tool_code", "distractors"}
