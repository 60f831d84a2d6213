"""Any conversation that there may be."""

import json

from astra_proto.messages import (
    AssistantMessage,
    FunctionCall,
    FunctionSpec,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from astra_trainer.rollout.render import MARKERS
from hypothesis import strategies as st

texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from([*MARKERS, "assistant\n", "\n", "x", '{"name": "f"}']), max_size=6).map("".join),
)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(texts, values, max_size=3)
calls = st.builds(
    lambda name, given: ToolCall(id="c", function=FunctionCall(name=name, arguments=json.dumps(given))),
    names,
    arguments,
)
assistants = st.builds(
    AssistantMessage, content=st.none() | texts, tool_calls=st.none() | st.lists(calls, min_size=1, max_size=3)
)
others = st.one_of(
    st.builds(UserMessage, content=texts),
    st.builds(ToolMessage, tool_call_id=st.just("c"), name=names, content=texts),
)
conversations: st.SearchStrategy[list[Message]] = st.builds(
    lambda system, rest: [*system, *rest],
    st.lists(st.builds(SystemMessage, content=texts), max_size=1),
    st.lists(st.one_of(assistants, others), max_size=6),
)
toolboxes = st.lists(
    st.builds(
        lambda name, description, given: ToolSpec(
            function=FunctionSpec(
                name=name, description=description, parameters={"type": "object", "properties": given}
            )
        ),
        names,
        texts,
        arguments,
    ),
    max_size=3,
)
