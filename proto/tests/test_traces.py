"""What a trace promises: a DAG, tool-free steps at its leaves only, answers that say something."""

import doctest
from typing import Any

import pytest
from astra_proto import traces
from astra_proto.arenas import Topology
from astra_proto.traces import QATrace, shape_problem
from pydantic import ValidationError


def trace(*subs: dict[str, Any], **changes: Any) -> QATrace:
    numbered = [{"id": i, "question": "q", "answer": f"a{i}"} | sub for i, sub in enumerate(subs, 1)]
    return QATrace.model_validate(
        {"domain": "d", "question": "q", "final_answer": 1, "subquestions": numbered} | changes
    )


def test_the_examples_hold() -> None:
    assert doctest.testmod(traces).failed == 0


def test_a_step_without_a_tool_may_be_a_leaf_and_nothing_else() -> None:
    assert trace({}, {"depends_on": [1], "needs_tool": False}).subquestions[1].needs_tool is False
    with pytest.raises(ValidationError, match=r"\[1\] need no tool"):
        trace({"needs_tool": False}, {"depends_on": [1]})


@pytest.mark.parametrize("answer", [None, "", [], {}])
def test_an_answer_says_something(answer: Any) -> None:
    with pytest.raises(ValidationError, match="empty answer"):
        trace({"answer": answer})
    with pytest.raises(ValidationError, match="empty answer"):
        trace({}, final_answer=answer)


def test_a_dependency_is_named_once() -> None:
    with pytest.raises(ValidationError, match="twice"):
        trace({}, {"depends_on": [1, 1]})


@pytest.mark.parametrize("topology", list(Topology))
def test_a_flat_shape_has_one_layer_and_a_deep_one_has_more(topology: Topology) -> None:
    flat = topology in (Topology.SINGLE_HOP, Topology.PARALLEL_SINGLE_HOP)
    assert (shape_problem(topology, 1) is None) is flat
    assert (shape_problem(topology, 2) is None) is not flat
    assert shape_problem(topology, None) is None
