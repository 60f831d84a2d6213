"""Masks, and the check that no wrong one passes."""

import pytest
from astra_proto.errors import Invalid
from astra_proto.messages import AssistantMessage, Message, ToolSpec, UserMessage
from astra_trainer.rollout.render import render
from astra_trainer.rollout.tokens import Tokens, check_mask, cut, encode
from hypothesis import assume, given
from hypothesis import strategies as st

from .conversations import conversations, toolboxes
from .letters import Letters

LETTERS = Letters()


@given(conversations, toolboxes)
def test_the_mask_of_every_conversation_passes_its_check(messages: list[Message], tools: list[ToolSpec]) -> None:
    assume(any(isinstance(m, AssistantMessage) for m in messages))
    check_mask(LETTERS, encode(LETTERS, render(messages, tools)), messages, tools)


@given(conversations, st.data())
def test_a_mask_with_one_token_wrong_is_refused(messages: list[Message], data: st.DataObject) -> None:
    assume(any(isinstance(m, AssistantMessage) for m in messages))
    tokens = encode(LETTERS, render(messages, []))
    place = data.draw(st.integers(0, len(tokens) - 1))
    wrong = [*tokens.trained]
    wrong[place] = not wrong[place]
    with pytest.raises(Invalid):
        check_mask(LETTERS, Tokens(tokens.ids, wrong), messages, [])


@given(conversations, st.integers(1, 200))
def test_a_cut_keeps_whole_assistant_turns(messages: list[Message], limit: int) -> None:
    whole = encode(LETTERS, render(messages, []))
    kept = cut(whole, limit)
    if kept is None:
        return
    assert len(kept) <= max(limit, 0) or kept == whole
    assert kept.ids == whole.ids[: len(kept)]
    if kept != whole:
        assert kept.trained[-1]
        assert LETTERS.decode(kept.ids).endswith("<|im_end|>")


def test_a_conversation_whose_first_turn_does_not_fit_is_none() -> None:
    messages: list[Message] = [UserMessage(content="x" * 50), AssistantMessage(content="y")]
    assert cut(encode(LETTERS, render(messages, [])), 40) is None
