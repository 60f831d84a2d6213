import pytest
from astra_proto.arenas import Answer, ArenaSpec, ArenaTool, GoldenCall, Provenance, Split, SubTask, Topology
from astra_proto.envs import Action, StepEnv
from astra_proto.errors import AstraError, CapacityReached, NotFound, UnsoundArena, from_body
from astra_proto.ids import canonical_json, content_id
from astra_proto.traces import QATrace, SubQuestion
from astra_proto.trajectories import TrajectoryScore
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

TOOL = ArenaTool(name="find", description="Finds.", parameters={"type": "object"}, code="def find(): return 1")


def subtask(number: int = 1, **changes: object) -> SubTask:
    given = {
        "id": number, "question": "which?", "tool": "find", "answer": Answer(value="x"),
        "golden_call": GoldenCall(name="find", arguments={}),
    }  # fmt: skip
    return SubTask.model_validate(given | changes)


def spec(**changes: object) -> ArenaSpec:
    given = {
        "domain": "d", "topology": Topology.SINGLE_HOP, "split": Split.TRAIN, "prompt": "p", "tools": [TOOL],
        "subtasks": [subtask()], "provenance": Provenance(teacher="offline"),
    }  # fmt: skip
    return ArenaSpec.model_validate(given | changes)


def test_the_id_of_an_arena_is_its_content_and_not_its_story() -> None:
    first = spec()
    assert first.id() == spec(provenance=Provenance(teacher="other", tries=3), split=Split.TEST).id()
    assert first.id() != spec(prompt="q").id()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tools": [TOOL, TOOL]}, "names must be unique"),
        ({"distractors": [TOOL]}, "names must be unique"),
        ({"subtasks": [subtask(), subtask()]}, "used twice"),
        ({"subtasks": [subtask(depends_on=[1])]}, "do not come earlier"),
        ({"subtasks": [subtask(tool="other", golden_call=GoldenCall(name="other", arguments={}))]}, "not among tools"),
        ({"subtasks": [subtask(golden_call=GoldenCall(name="other", arguments={}))]}, "own tool"),
        ({"subtasks": []}, "at least 1"),
    ],
)
def test_an_arena_that_does_not_hold_together_is_refused_with_the_place(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**change)


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_an_empty_answer_is_refused(empty: object) -> None:
    with pytest.raises(ValidationError, match="matched by any output"):
        Answer.model_validate({"value": empty})


def test_an_action_does_something_and_a_typo_is_told() -> None:
    with pytest.raises(ValidationError, match="needs `tool_calls` or `content`"):
        Action()
    with pytest.raises(ValidationError, match="step_idd"):
        StepEnv.model_validate({"action": {"content": "x"}, "step_idd": "1"})


@given(st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=8))
def test_hop_levels_and_topology_follow_from_the_dependencies(wanted: list[set[int]]) -> None:
    subs = [
        SubQuestion(id=i, question="q", answer=i, depends_on=sorted(d for d in deps if 1 <= d < i))
        for i, deps in enumerate(wanted, 1)
    ]
    trace = QATrace(domain="d", question="q", final_answer=1, subquestions=subs)
    levels = trace.hop_levels()
    assert all(levels[s.id] == 1 + max((levels[d] for d in s.depends_on), default=0) for s in subs)
    shape = trace.topology()
    assert (shape is Topology.SINGLE_HOP) == (len(subs) == 1)
    assert (shape is Topology.PARALLEL_SINGLE_HOP) == (len(subs) > 1 and not any(s.depends_on for s in subs))


@pytest.mark.parametrize("depends", [[1], [2], [9], [0]])
def test_a_trace_that_is_no_dag_is_refused(depends: list[int]) -> None:
    with pytest.raises(ValidationError):
        QATrace.model_validate(
            {"domain": "d", "question": "q", "final_answer": 1,
             "subquestions": [{"id": 1, "question": "q", "answer": 1, "depends_on": depends}]}
        )  # fmt: skip


def test_an_unscored_dimension_is_no_score() -> None:
    scores = dict.fromkeys(TrajectoryScore.model_fields, 1.0)
    assert TrajectoryScore(**scores).mean() == 1.0
    assert TrajectoryScore(**(scores | {"conciseness": None})).mean() is None


@pytest.mark.parametrize(
    "error", [NotFound("no arena"), CapacityReached("full", retry_after_s=3), UnsoundArena(report={"a": 1})]
)
def test_an_error_arrives_as_the_class_it_left_as(error: AstraError) -> None:
    back = from_body(error.status, error.body())
    assert (type(back), back.detail, back.extra) == (type(error), error.detail, error.extra)


@pytest.mark.parametrize(
    "body", [None, "<html>", [], {"error": "os.system"}, {"detail": 3}, {"error": 7, "detail": None}]
)
def test_a_foreign_error_body_is_still_an_error_of_its_status(body: object) -> None:
    assert from_body(404, body).status == 404
    assert isinstance(from_body(418, body), AstraError)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_a_content_id_does_not_depend_on_the_order_of_keys(value: object) -> None:
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert content_id("x", value) == content_id("x", turned)
    assert canonical_json(value) == canonical_json(turned)
