"""What a model wrote, read strictly: repaired when whole, asked for again when not, refused in the end."""

from collections.abc import Callable
from typing import Any

import pytest
from astra_synth_worker.llm.ask import MalformedReply, ask, complete
from astra_synth_worker.llm.base import BudgetSpent, Completion, Prompt, Usage
from astra_synth_worker.llm.text import NotJson, read_json
from astra_synth_worker.trajectories.score import Verdict, verdicts
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

pytestmark = pytest.mark.anyio

PROMPT = Prompt("task_for_chain", {})


@pytest.mark.parametrize(
    ("text", "value", "repaired"),
    [
        ('{"a": 1}', {"a": 1}, False),
        ('<think>maybe {"a": 2}?</think>\n{"a": 1}', {"a": 1}, False),
        ('```json\n{"a": 1}\n```', {"a": 1}, False),
        ('Here you are:\n```\n{"a": 1}\n```\nGood luck!', {"a": 1}, False),
        ('The answer is {"a": [1, 2]}.', {"a": [1, 2]}, False),
        ("{'a': 1, 'b': [1, 2,],}", {"a": 1, "b": [1, 2]}, True),
        ('{"a": "x\\u0000y\\ud800"}', {"a": "xy?"}, False),
    ],
)
def test_json_is_found_in_what_surrounds_it(text: str, value: Any, repaired: bool) -> None:
    assert read_json(text) == (value, repaired)


@pytest.mark.parametrize(
    "text",
    ["", "no", "{", '{"score": 1, "thou', '{"a": {"b": 1}, "score": 1', '{"a": NaN}', "[" * 5_000, "```json\n```"],
)
def test_half_an_answer_is_none(text: str) -> None:
    with pytest.raises(NotJson):
        read_json(text)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_json(text)
    except NotJson:
        return


@pytest.mark.parametrize("score", ["true", '"1"', "0.7", "2", "null", "[1]", "1e400"])
async def test_what_merely_looks_like_a_verdict_is_none(score: str, script: Callable[..., Any]) -> None:
    llm = script(lambda prompt: Completion(f'{{"thought": "fine", "score": {score}}}'))
    with pytest.raises(MalformedReply):
        await ask(llm, PROMPT, Verdict, Usage())


def test_marks_must_be_as_many_as_the_calls() -> None:
    verdicts(2).model_validate({"thought": "", "scores": [1, 0]})
    for wrong in ([1], [1, 1, 1], [True, 1], [0.5, 1], [2, 1], ["1", 1]):
        with pytest.raises(ValidationError):
            verdicts(2).model_validate({"thought": "", "scores": wrong})


async def test_the_next_try_is_told_what_was_wrong(script: Callable[..., Any]) -> None:
    replies = ["I think it is good.", '{"thought": "x", "score": 3}', '{"thought": "x", "score": 0.5}']
    llm, usage = script(lambda prompt: Completion(replies.pop(0), prompt_tokens=5, completion_tokens=2)), Usage()
    assert (await ask(llm, PROMPT, Verdict, usage)).score == 0.5
    assert [len(prompt.messages) for prompt in llm.asked] == [0, 2, 2]
    assert "score: " in llm.asked[2].messages[1].content
    assert (usage.calls, usage.malformed, usage.repaired) == (3, 2, 0)
    assert (usage.prompt_tokens, usage.completion_tokens) == (15, 6)
    assert set(usage.prompts) == {"task_for_chain"}


@pytest.mark.parametrize(
    "reply", [Completion(None), Completion(""), Completion('{"thought": "", "score": 1}', truncated=True)]
)
async def test_nothing_and_half_are_malformed(reply: Completion, script: Callable[..., Any]) -> None:
    usage = Usage()
    with pytest.raises(MalformedReply, match="task_for_chain: 3 replies"):
        await ask(script(lambda prompt: reply), PROMPT, Verdict, usage)
    assert usage.malformed == 3


async def test_a_repaired_reply_is_counted(script: Callable[..., Any]) -> None:
    usage = Usage()
    await ask(script(lambda prompt: Completion("{'thought': 'x', 'score': 1}")), PROMPT, Verdict, usage)
    assert usage.repaired == 1


async def test_the_budget_ends_before_the_call(script: Callable[..., Any]) -> None:
    llm, usage = script(lambda prompt: Completion("hm")), Usage(max_calls=2)
    with pytest.raises(BudgetSpent):
        await ask(llm, PROMPT, Verdict, usage, tries=5)
    with pytest.raises(BudgetSpent):
        await complete(llm, PROMPT, usage)
    assert len(llm.asked) == 2
