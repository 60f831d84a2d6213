"""What one sub-question may cost, and what is kept of what was tried."""

from typing import Any

import pytest
from astra_proto.arenas import Topology
from astra_proto.jobs import ArenaJob
from astra_synth_worker.arenas.part import Drafted
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.jobs.context import Refused
from astra_synth_worker.llm.base import Prompt

from .conftest import Contexts
from .saboteur import Saboteur

pytestmark = pytest.mark.anyio
JOB = ArenaJob(domain="clinic", topology=Topology.SINGLE_HOP, seed=73)
OF_PARTS = {"tool_document", "tool_scale", "tool_call", "tool_code"}


def wrong_code(reply: Any, prompt: Prompt) -> Any:
    name = prompt.variables["tool"]["name"]
    (parameter,) = prompt.variables["arguments"]
    return {"code": f"def {name}({parameter}: str) -> dict:\n    return {{'it': 'wrong'}}\n"}


@pytest.mark.parametrize("most", [3, 4, 7])
async def test_no_sub_question_costs_more_calls_than_it_may(contexts: Contexts, most: int) -> None:
    llm = Saboteur({"tool_code": wrong_code})
    with pytest.raises(Refused) as refused:
        await make_arena(JOB, await contexts(JOB, llm, part_llm_calls=most, arena_rounds=9))
    assert refused.value.reason == "over_budget"
    assert refused.value.counted["tries"]["over_budget"] >= 1
    assert sum(prompt.name in OF_PARTS for prompt in llm.asked) == most


async def test_no_golden_call_is_run_more_often_than_it_may(contexts: Contexts) -> None:
    llm = Saboteur({"tool_code": wrong_code})
    with pytest.raises(Refused, match="its 2 runs in the sandbox are spent"):
        await make_arena(JOB, await contexts(JOB, llm, part_sandbox_runs=2, arena_rounds=9))


async def test_every_refused_draft_is_kept_with_what_was_wrong(contexts: Contexts) -> None:
    kept: list[Drafted] = []
    context = await contexts(JOB, Saboteur({"tool_code": wrong_code}), arena_rounds=3, draft_tries=1)
    run = context.stage

    class Watched:
        async def __call__(self, name: str, inputs: Any, fn: Any, output: Any, /) -> Any:
            made = await run(name, inputs, fn, output)
            kept.extend([made] if isinstance(made, Drafted) else [])
            return made

    object.__setattr__(context, "stage", Watched())
    with pytest.raises(Refused) as refused:
        await make_arena(JOB, context)
    assert refused.value.counted == {"tries": {"answer_not_in_output": 3}, "sandbox_runs": 3}
    assert len(kept) == 3
    last = kept[-1].part
    assert last is not None
    assert [(each.step, each.reason) for each in last.tries] == [("check", "answer_not_in_output")] * 2
    assert all("wrong" in each.draft for each in last.tries)


async def test_what_is_given_up_is_kept_as_well(contexts: Contexts) -> None:
    context = await contexts(JOB, Saboteur({"tool_code": lambda *_: {"code": "def ("}}), draft_tries=2)
    made: list[Any] = []
    run = context.stage

    class Watched:
        async def __call__(self, name: str, inputs: Any, fn: Any, output: Any, /) -> Any:
            made.append(await run(name, inputs, fn, output))
            return made[-1]

    object.__setattr__(context, "stage", Watched())
    with pytest.raises(Refused, match="no_python"):
        await make_arena(JOB, context)
    (failure,) = (each.failure for each in made if isinstance(each, Drafted))
    assert failure is not None
    assert [each.reason for each in failure.tries] == ["no_python"] * 2
    assert '"def ("' in failure.tries[0].draft


async def test_a_richer_document_that_breaks_calls_is_left_out(contexts: Contexts) -> None:
    def scaled(reply: Any, _: Prompt) -> Any:
        properties = {**reply["parameters"]["properties"], "more": {"type": "string"}}
        return {**reply, "parameters": {**reply["parameters"], "properties": properties, "required": list(properties)}}

    outcome = await make_arena(JOB, await contexts(JOB, Saboteur({"tool_scale": scaled})))
    assert outcome.result["tries"] == {"not_compatible": 3}


async def test_a_document_is_left_as_it_is_where_that_is_wanted(contexts: Contexts) -> None:
    llm = Saboteur()
    await make_arena(JOB, await contexts(JOB, llm, scale_documents=False))
    assert "tool_scale" not in {prompt.name for prompt in llm.asked}
