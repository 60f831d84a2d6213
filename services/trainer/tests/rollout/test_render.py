"""What holds of every conversation that is rendered."""

import json

from astra_proto.messages import AssistantMessage, Message, ToolSpec, UserMessage
from astra_trainer.rollout.parse import parse
from astra_trainer.rollout.render import CALL_START, GENERATION_PROMPT, TURN_END, TURN_START, render, render_results
from hypothesis import given
from hypothesis import strategies as st

from .conversations import assistants, conversations, texts, toolboxes


def text_of(messages: list[Message], tools: list[ToolSpec]) -> str:
    return "".join(span.text for span in render(messages, tools))


@given(conversations, toolboxes, st.integers(0, 6))
def test_the_beginning_of_a_conversation_is_the_beginning_of_its_text(
    messages: list[Message], tools: list[ToolSpec], count: int
) -> None:
    assert text_of(messages, tools).startswith(text_of(messages[:count], tools))


@given(conversations, toolboxes)
def test_no_text_can_forge_a_turn(messages: list[Message], tools: list[ToolSpec]) -> None:
    turns = len(messages)
    if messages and tools and messages[0].role != "system":
        turns += 1
    if messages and messages[0].role == "system" and not messages[0].content and not tools:
        turns -= 1
    text = text_of(messages, tools)
    assert text.count(TURN_START) == text.count(TURN_END) == turns
    assert text.count(CALL_START) == sum(len(getattr(m, "tool_calls", None) or []) for m in messages)


@given(conversations, toolboxes)
def test_only_what_the_assistant_wrote_is_trained(messages: list[Message], tools: list[ToolSpec]) -> None:
    trained = [span.text for span in render(messages, tools) if span.trained]
    assert len(trained) == sum(isinstance(m, AssistantMessage) for m in messages)
    assert all(text.endswith(TURN_END) for text in trained)


@given(assistants.filter(lambda message: bool(message.tool_calls)))
def test_calls_are_read_back_as_they_were_meant(message: AssistantMessage) -> None:
    (written,) = [span.text for span in render([message], []) if span.trained]
    read = parse(written).tool_calls
    assert [call.name for call in read] == [call.function.name for call in message.tool_calls or []]
    for got, meant in zip(read, message.tool_calls or [], strict=True):
        if not any(marker in meant.function.arguments for marker in ("<", "\\u")):
            assert got.arguments == json.loads(meant.function.arguments)


@given(conversations.filter(bool), texts)
def test_an_episode_goes_on_as_the_conversation_would_be_written(messages: list[Message], answer: str) -> None:
    """The tokens a policy saw while it played are those that training on the same conversation would show."""
    played = [*messages, AssistantMessage(content="I said so")]
    following: list[Message] = [UserMessage(content=answer)]
    whole = text_of([*played, *following], []) + GENERATION_PROMPT
    while_playing = text_of(played, []).removesuffix("\n") + "".join(span.text for span in render_results(following))
    assert while_playing == whole
