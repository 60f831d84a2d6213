"""Gate and judges of a trace: what they say is believed only where it is whole, and silence is never a pass."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from astra_proto.arenas import Arena
from astra_proto.jobs import ArenaJob
from astra_proto.traces import JudgeScores, QATrace, ScoredTrace
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.arenas.validation import Validated, validated_trace
from astra_synth_worker.jobs.context import Refused
from astra_synth_worker.llm.base import LLMFailed, Prompt

from .conftest import Contexts
from .saboteur import Saboteur

pytestmark = pytest.mark.anyio
CHAIN = ArenaJob.model_validate({"domain": "logistics", "topology": "multi_hop", "hops": 3, "seed": 5})
JUDGES = ("trace_dependency", "trace_atomicity", "trace_sequence", "trace_completeness")


def verdicts(change: Callable[[list[dict[str, Any]]], Any]) -> Callable[[Any, Prompt], Any]:
    """The verdicts changed in place."""

    def twist(reply: Any, _: Prompt) -> Any:
        change(reply["verdicts"])
        return reply

    return twist


def no(which: str, *places: int) -> Callable[[Any, Prompt], Any]:
    """These verdicts, and no others, are "no"."""
    return verdicts(lambda found: [found[i].update({which: False}) for i in places])


async def test_each_is_asked_once_and_says_something_of_every_step(contexts: Contexts) -> None:
    llm = Saboteur()
    made = await validated_trace(CHAIN, await contexts(CHAIN, llm))
    assert [prompt.name for prompt in llm.asked] == ["qa_trace", "tool_necessity", *JUDGES]
    assert made.scores == JudgeScores(dependency=1, atomicity=1, sequential=1, completeness=1)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tool_necessity", no("needs_tool", 0)),
        ("tool_necessity", no("needs_tool", 0, 1, 2)),
    ],
    ids=["an inner step", "every step"],
)
async def test_what_others_depend_on_needs_a_tool(contexts: Contexts, name: str, change: Any) -> None:
    llm = Saboteur({name: change})
    with pytest.raises(Refused) as refused:
        await make_arena(CHAIN, await contexts(CHAIN, llm))
    assert refused.value.reason == "tool_unnecessary"
    asked = [prompt for prompt in llm.asked if prompt.name == "qa_trace"]
    assert len(asked) == 2, "the second draft is told what the gate found"
    assert "sub-question 1 needs no tool" in asked[1].variables["earlier"].problem


async def test_a_leaf_may_do_without_and_has_no_tool(contexts: Contexts) -> None:
    job = ArenaJob.model_validate(
        {"domain": "logistics", "topology": "multi_hop", "min_hops": 2, "max_hops": 3, "seed": 6}
    )
    llm = Saboteur({"tool_necessity": no("needs_tool", -1)})
    made = await validated_trace(job, await contexts(job, llm))
    assert [sub.needs_tool for sub in made.trace.subquestions] == [True, True, False]


async def test_a_leaf_without_a_tool_does_not_count_for_the_shape_that_is_wanted(contexts: Contexts) -> None:
    llm = Saboteur({"tool_necessity": no("needs_tool", 2)})
    with pytest.raises(Refused) as refused:
        await make_arena(CHAIN, await contexts(CHAIN, llm))
    assert refused.value.reason == "wrong_hops"
    asked = [prompt for prompt in llm.asked if prompt.name == "qa_trace"]
    assert "2 layers, wanted are 3; sub-questions [3] need no tool" in asked[1].variables["earlier"].problem


async def test_where_nothing_needs_a_tool_there_is_no_arena(contexts: Contexts) -> None:
    single = ArenaJob.model_validate({"domain": "clinic", "topology": "single_hop", "seed": 2})
    with pytest.raises(Refused, match="no_tool_needed"):
        await make_arena(single, await contexts(single, Saboteur({"tool_necessity": no("needs_tool", 0)})))


INCOMPLETE: dict[str, Any] = {
    "one is missing": verdicts(lambda found: found.pop()),
    "one too many": verdicts(lambda found: found.append({**found[0], "id": 9})),
    "another order": verdicts(lambda found: found.reverse()),
    "one twice": verdicts(lambda found: found[1].update(id=1)),
    "none at all": verdicts(lambda found: found.clear()),
    "a word": lambda *_: "They are all fine.",
    "no verdict in it": verdicts(lambda found: [each.pop("ok", each.pop("needs_tool", None)) for each in found]),
}


@pytest.mark.parametrize("case", INCOMPLETE)
@pytest.mark.parametrize("name", ["tool_necessity", "trace_atomicity"])
async def test_half_a_judgement_is_none(contexts: Contexts, name: str, case: str) -> None:
    llm = Saboteur({name: INCOMPLETE[case]})
    with pytest.raises(Refused) as refused:
        await make_arena(CHAIN, await contexts(CHAIN, llm, trace_rounds=1))
    assert refused.value.reason == ("no_verdict" if name == "tool_necessity" else "unscored")


@pytest.mark.parametrize(
    "said",
    [
        {"requirements": []},
        {"requirements": [{"requirement": "it", "covered_by": [7]}]},
        {"requirements": "all are covered"},
    ],
    ids=["of nothing", "by a step that is not there", "in words"],
)
async def test_completeness_without_requirements_is_no_verdict(contexts: Contexts, said: Any) -> None:
    llm = Saboteur({"trace_completeness": lambda reply, _: {**reply, **said}})
    with pytest.raises(Refused, match="unscored"):
        await make_arena(CHAIN, await contexts(CHAIN, llm, trace_rounds=1))


@pytest.mark.parametrize(
    "said",
    [{"requirements": [{"requirement": "the price too", "covered_by": []}]}, {"final_answer_follows": False}],
    ids=["a requirement is not covered", "the answer does not follow"],
)
async def test_a_question_half_answered_is_refused(contexts: Contexts, said: Any) -> None:
    llm = Saboteur({"trace_completeness": lambda reply, _: {**reply, **said}})
    with pytest.raises(Refused, match="low_score"):
        await make_arena(CHAIN, await contexts(CHAIN, llm))


@pytest.mark.parametrize(("threshold", "kept"), [(0.91, True), (0.92, False)])
async def test_the_mean_decides(contexts: Contexts, threshold: float, kept: bool) -> None:
    """One step in three fails one judge of four: 11/12."""
    llm = Saboteur({"trace_dependency": no("ok", 1)})
    context = await contexts(CHAIN, llm, keep_trace=threshold, trace_rounds=1)
    if kept:
        made = await validated_trace(CHAIN, context)
        assert made.scores.dependency == pytest.approx(2 / 3)
        assert made.scores.mean() == pytest.approx(11 / 12)
        return
    with pytest.raises(Refused, match=r"low_score.*sub-question 2, dependencies"):
        await validated_trace(CHAIN, context)


async def test_what_the_judges_found_goes_into_the_next_draft(contexts: Contexts) -> None:
    """The first draft is found wanting, the second is not."""
    rounds: list[Prompt] = []

    def twist(reply: Any, prompt: Prompt) -> Any:
        rounds.append(prompt)
        return no("ok", 0, 1)(reply, prompt) if len(rounds) == 1 else reply

    llm = Saboteur({"trace_sequence": twist, "qa_trace": lambda reply, _: {**reply, "background": f"{len(rounds)}"}})
    made = await validated_trace(CHAIN, await contexts(CHAIN, llm, keep_trace=0.9))
    assert [each.reason for each in made.tries] == ["low_score"]
    second = [prompt for prompt in llm.asked if prompt.name == "qa_trace"][1].variables["earlier"]
    assert "put in a row without need" in second.problem
    assert json.loads(second.draft)["subquestions"]


async def test_a_judge_that_does_not_answer_is_an_outage_and_no_verdict(contexts: Contexts) -> None:
    class Down(Saboteur):
        async def complete(self, prompt: Prompt) -> Any:
            if prompt.name == "trace_atomicity":
                raise LLMFailed("no connection")
            return await super().complete(prompt)

    with pytest.raises(ExceptionGroup) as error:
        await make_arena(CHAIN, await contexts(CHAIN, Down()))
    assert error.group_contains(LLMFailed)


async def test_only_a_trace_is_made_where_only_one_is_asked_for(contexts: Contexts) -> None:
    job = CHAIN.model_copy(update={"until": "trace"})
    llm = Saboteur({"trace_dependency": no("ok", 0, 1, 2)})
    outcome = await make_arena(job, await contexts(job, llm))
    assert outcome.result["score"] == pytest.approx(0.75), "far below the threshold, which comes later"
    assert "arena_id" not in outcome.result


async def test_an_arena_of_a_selected_trace_tells_what_both_have_cost(contexts: Contexts) -> None:
    def doubtful(reply: Any, prompt: Prompt) -> Any:
        return {"verdicts": []} if prompt.variables["earlier"] is None else reply

    first = CHAIN.model_copy(update={"until": "trace"})
    context = await contexts(first, Saboteur({"tool_necessity": doubtful}))
    made = ScoredTrace.model_validate((await make_arena(first, context)).result["trace"])
    assert made.refused == {"not_every_step": 1}
    selected = CHAIN.model_copy(update={"trace": made})
    second = await contexts(selected, Saboteur())
    outcome = await make_arena(selected, second)
    arena = await second.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    told = arena.spec.provenance
    assert {"qa_trace", "tool_necessity", "trace_atomicity", "tool_code"} <= set(told.prompts)
    assert told.llm_calls == context.usage.calls + second.usage.calls
    assert (told.tries, told.refused) == (2, {"not_every_step": 1})


def trace(**more: Any) -> dict[str, Any]:
    subs = [{"id": 1, "question": "q", "answer": "Zyx", "state_path": "/seats/A1"}]
    return {"domain": "d", "question": "q", "final_answer": "Zyx", "subquestions": subs, **more}


def test_a_change_needs_a_state() -> None:
    with pytest.raises(ValueError, match="state"):
        QATrace.model_validate(trace())
    assert QATrace.model_validate(trace(state={"seats": {}})).subquestions[0].state_path == "/seats/A1"


def test_a_trace_with_its_scores_is_taken_as_it_is() -> None:
    assert (
        Validated(
            QATrace.model_validate(trace(state={})),
            JudgeScores(dependency=1, atomicity=None, sequential=1, completeness=1),
        ).scores.mean()
        is None
    )
