"""Tools that could be made one are published apart where the gate refuses the arena in which they are one."""

from typing import Any

import httpx2
import pytest
from astra_proto.arenas import Arena
from astra_proto.jobs import ArenaJob
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.llm.base import Prompt

from .conftest import Contexts
from .test_merging import BOATS, TwoOfAKind

pytestmark = pytest.mark.anyio


class Forgetful(TwoOfAKind):
    """It merges two tools, and keeps of their rows only those that are asked for.

    Every golden call still gives its answer, so nothing but the gate notices.
    """

    def __init__(self) -> None:
        super().__init__(can_merge=True)
        self.merged = 0

    def _reply(self, prompt: Prompt, wanted: Any) -> Any:
        reply = super()._reply(prompt, wanted)
        if prompt.name == "tool_merge":
            self.merged += 1
            asked = {name: BOATS[name] for name in ("Ada", "Ben")}
            reply["code"] = reply["code"].replace(repr(BOATS), repr(asked))
        return reply


def refusals(metrics: str) -> dict[str, float]:
    """Refused arenas by check, as the env-server counts them."""
    lines = [line for line in metrics.splitlines() if line.startswith("astra_env_gate_refusals_total{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}


async def test_an_arena_that_the_gate_refuses_merged_is_published_unmerged(contexts: Contexts, env_server: str) -> None:
    async def refused() -> dict[str, float]:
        async with httpx2.AsyncClient(base_url=env_server, trust_env=False) as http:
            return refusals((await http.get("/metrics")).text)

    before = await refused()
    llm = Forgetful()
    job = ArenaJob(domain="sailing", seed=2)
    context = await contexts(job, llm)
    outcome = await make_arena(job, context)
    after = await refused()
    assert llm.merged == 1, "the merged code gave both answers, so it was taken at once"
    assert {check: count for check, count in after.items() if count > before.get(check, 0)} == {"golden_row": 1}
    assert (outcome.result["rounds"], outcome.result["merged"]) == (1, [])
    assert outcome.result["tries"] == {"golden_row": 1}, "why the tools are apart is kept"
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert arena.soundness.sound
    assert [task.tool for task in arena.spec.subtasks] == ["find_boat", "find_boat_2"]
    assert all("Dov" in tool.code for tool in arena.spec.tools), "each has the rows that it was drafted with"
