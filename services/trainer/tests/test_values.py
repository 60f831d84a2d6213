"""Redrawing the values of a demonstration."""

import json
from random import Random

from astra_proto.messages import AssistantMessage, FunctionCall, Message, ToolCall, ToolMessage, UserMessage
from astra_trainer.data.values import Values


def shown(patient: str, bed: str, weight: int) -> list[Message]:
    call = ToolCall(
        id="c",
        function=FunctionCall(name="bed_of", arguments=json.dumps({"patient": patient, "weight": weight})),
    )
    return [
        UserMessage(content=f"In which bed lies {patient} of {weight} kg? Not the one of {patient}son."),
        AssistantMessage(tool_calls=[call]),
        ToolMessage(tool_call_id="c", name="bed_of", content=json.dumps({"bed": bed})),
        AssistantMessage(content=bed),
    ]


ALL = [shown("Rita", "A4-48", 42), shown("Olga", "B1-77", 55), shown("Mila", "C9-10", 71)]


def test_a_value_is_the_same_wherever_it_stands_and_words_around_it_stay() -> None:
    values = Values(ALL)
    for seed in range(50):
        question, asked, told, answer = values.redraw(ALL[0], Random(seed))
        assert isinstance(asked, AssistantMessage)
        arguments = json.loads((asked.tool_calls or [])[0].function.arguments)
        bed = json.loads(told.content or "")["bed"]
        assert arguments["patient"] in {"Olga", "Mila"}
        assert isinstance(arguments["weight"], int)
        assert question.content == (
            f"In which bed lies {arguments['patient']} of {arguments['weight']} kg? Not the one of Ritason."
        )
        assert answer.content == bed
        assert len(bed) == 5
        assert bed[2] == "-"


def test_the_same_seed_gives_the_same_values() -> None:
    values = Values(ALL)
    assert values.redraw(ALL[0], Random(1)) == values.redraw(ALL[0], Random(1))
    assert values.redraw(ALL[0], Random(1)) != values.redraw(ALL[0], Random(2))


def test_different_values_stay_different() -> None:
    two = [*shown("Rita", "A4-48", 42), *shown("Olga", "B1-77", 55)]
    for seed in range(50):
        new = Values(ALL).redraw(two, Random(seed))
        assert len({message.content for message in new if message.role == "tool"}) == 2


def test_what_is_no_json_and_plain_words_are_left_alone() -> None:
    messages: list[Message] = [
        UserMessage(content="is it blue"),
        ToolMessage(tool_call_id="c", name="f", content="ValueError: A1"),
        ToolMessage(tool_call_id="c", name="f", content='{"colour": "blue", "n": 3, "ok": true}'),
    ]
    assert Values([messages]).redraw(messages, Random(0)) == messages
