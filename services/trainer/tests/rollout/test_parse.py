"""Whatever a policy writes is an action that an env-server takes."""

import pytest
from astra_proto.envs import StepEnv
from astra_service.http import check_json
from astra_trainer.rollout.parse import MALFORMED, parse
from hypothesis import given
from hypothesis import strategies as st

from .conversations import texts


@given(
    st.lists(
        st.one_of(
            texts,
            st.text(st.characters(), max_size=8),
            st.sampled_from(
                [
                    "<tool_call>",
                    "</tool_call>",
                    '{"name": "f", "arguments": ',
                    "{}",
                    "}",
                    "NaN",
                    '"\\ud800"',
                    "1e999",
                    "\0",
                ]
            ),
        ),
        max_size=8,
    ).map("".join)
)
def test_everything_is_an_action_that_survives_the_wire(written: str) -> None:
    action = parse(written)
    check_json(StepEnv(action=action).model_dump_json().encode())
    assert bool(action.tool_calls) == ("<tool_call>" in written)


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        ('<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>', "f", {"a": 1}),
        ('<tool_call>\n{"name": "f"}\n</tool_call><|im_end|>', "f", {}),
        ('<tool_call>{"name": "f", "arguments": "{}"}</tool_call>', "f", "{}"),
        ('<tool_call>{"name": "f", "arguments": {"a": 1}', "f", '{"name": "f", "arguments": {"a": 1}'),
        ("<tool_call>f(1)</tool_call>", MALFORMED, "f(1)"),
        ('<tool_call>{"name": "f", "arguments": [1]}</tool_call>', "f", '{"name": "f", "arguments": [1]}'),
        (
            '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>',
            "f",
            '{"name": "f", "arguments": {"a": NaN}}',
        ),
    ],
)
def test_a_broken_call_is_still_a_call(written: str, name: str, arguments: object) -> None:
    (call,) = parse(written).tool_calls
    assert (call.name, call.arguments) == (name, arguments)


def test_two_calls_of_which_the_first_is_not_closed() -> None:
    calls = parse('<tool_call>{"name": "f"<tool_call>{"name": "g", "arguments": {}}</tool_call>').tool_calls
    assert [call.name for call in calls] == ["f", "g"]


def test_no_call_is_the_final_answer() -> None:
    assert parse(" It is 5.<|im_end|>").content == "It is 5."
