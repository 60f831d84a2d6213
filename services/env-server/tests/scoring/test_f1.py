"""What an episode earns."""

import pytest
from astra_env_server.scoring.f1 import Scorer, Tally
from astra_proto.arenas import ArenaSpec
from hypothesis import given
from hypothesis import strategies as st


def arena(count: int) -> ArenaSpec:
    """``count`` sub-tasks, each with a tool of its own; the answer of sub-task i is 100 + i."""
    schema = {"type": "object", "properties": {}}
    return ArenaSpec.model_validate(
        {
            "domain": "test",
            "topology": "single_hop",
            "split": "train",
            "prompt": "p",
            "tools": [{"name": f"t{i}", "description": "d", "parameters": schema, "code": "c"} for i in range(count)],
            "subtasks": [
                {"id": i, "question": "q", "tool": f"t{i}", "answer": {"value": 100 + i},
                 "golden_call": {"name": f"t{i}", "arguments": {}}}
                for i in range(count)
            ],
            "final_answer": {"value": "done"},
            "provenance": {"teacher": "test"},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("n", "solved", "calls", "f1"),
    [(4, 4, 4, 1.0), (4, 4, 6, 0.8), (4, 3, 4, 0.75), (4, 4, 8, 2 / 3), (4, 0, 5, 0.0), (4, 0, 0, 0.0), (4, 4, 2, 1.0)],
)
def test_the_examples_of_the_paper(n: int, solved: int, calls: int, f1: float) -> None:
    assert Tally(n, tuple(range(solved)), calls).f1 == pytest.approx(f1)


def test_only_a_successful_call_to_its_own_tool_solves_a_subtask_and_only_once() -> None:
    scorer = Scorer(arena(2))
    scorer.call("t1", "100")  # the answer of sub-task 0, from the tool of sub-task 1
    scorer.call("t0", None)  # a call that failed
    scorer.call("nowhere", "100")
    assert scorer.tally == Tally(2, (), 3)
    scorer.call("t0", "it is 100")
    scorer.call("t0", "it is 100")
    assert scorer.tally == Tally(2, (0,), 5)
    assert scorer.tally.f1 == pytest.approx(2 * 1 / (2 + 5))


def test_a_right_final_answer_counts_as_one_subtask_solved_by_one_call() -> None:
    scorer = Scorer(arena(1), final_answer=True)
    scorer.call("t0", "100")
    assert scorer.tally.f1 == pytest.approx(2 / 3)
    scorer.answer("nothing")
    assert scorer.tally.f1 == pytest.approx(2 / 3), "a wrong answer costs nothing"
    scorer.answer("It is done.")
    assert scorer.tally.f1 == 1.0
    assert scorer.tally.complete


def test_a_guessed_final_answer_alone_does_not_earn_it_all() -> None:
    scorer = Scorer(arena(1), final_answer=True)
    scorer.answer("done")
    assert scorer.tally.f1 == pytest.approx(2 / 3)


def test_the_final_answer_earns_nothing_where_it_does_not_count() -> None:
    scorer = Scorer(arena(1))
    scorer.answer("done")
    assert scorer.tally == Tally(1)


outputs = st.none() | st.integers(99, 108).map(str) | st.text(max_size=5)


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 7), outputs), max_size=20), st.booleans())
def test_rewards_telescope_and_stay_in_bounds(n: int, calls: list[tuple[int, str | None]], final: bool) -> None:
    scorer = Scorer(arena(n), final_answer=final)
    paid, before = 0.0, scorer.tally
    for tool, output in calls:
        scorer.call(f"t{tool}", output)
        after = scorer.tally
        paid += after.f1 - before.f1
        assert after.recall >= before.recall, "what is solved stays solved"
        assert after.calls == before.calls + 1
        assert 0 <= after.f1 <= 1
        assert 0 <= after.precision <= 1
        assert 0 <= after.recall <= 1
        before = after
    scorer.answer("done")
    paid += scorer.tally.f1 - before.f1
    assert paid == pytest.approx(scorer.tally.f1)
    assert scorer.tally.f1 == pytest.approx(_harmonic(scorer.tally))


def _harmonic(tally: Tally) -> float:
    """The paper's formula, from precision and recall; the same wherever there is no more solved than called."""
    return 2 * tally.precision * tally.recall / (tally.precision + tally.recall) if tally.hits else 0.0
