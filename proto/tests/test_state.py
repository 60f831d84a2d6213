"""Stateful arenas: what may be a state, how a place in it is named, and that stateless arenas are what they were."""

import contextlib
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from astra_proto.arena_files import ArenaFile, read_arena_file
from astra_proto.arenas import Arena, ArenaSpec
from astra_proto.errors import Invalid, NewerFile
from astra_proto.ids import canonical_json
from astra_proto.soundness import SoundnessReport
from astra_proto.state import MAX_STATE_BYTES, NotThere, pointer_tokens, read_state, state_json, value_at
from astra_proto.traces import QATrace
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

LIBRARY = Path(__file__).parents[2] / "services" / "env-server" / "examples" / "library.json"
REPORT = SoundnessReport(sound=True, oracle_reward=1.0, checks=[])


def library(**changes: Any) -> ArenaSpec:
    return ArenaSpec.model_validate({**json.loads(LIBRARY.read_text()), **changes})


def test_a_stateless_arena_is_what_it_was_before_there_were_others() -> None:
    spec = library()
    assert spec.id() == "ar_7a535c245a398d6c507340717a8d4d62"
    assert library(state=None).id() == spec.id()
    assert "state" not in spec.model_dump()
    assert '"schema_version": 1' in ArenaFile.of(Arena(id=spec.id(), spec=spec, soundness=REPORT)).text()


def test_the_state_is_part_of_the_content_and_the_order_of_its_keys_is_not() -> None:
    one, other = library(state={"a": 1, "b": {"c": 2, "d": 3}}), library(state={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.id() == other.id() != library().id()
    assert state_json(one.state) == state_json(other.state) == b'{"a":1,"b":{"c":2,"d":3}}'
    assert library(state={}).id() != library().id()
    assert ArenaSpec.model_validate_json(one.model_dump_json()) == one


def test_a_stateful_arena_travels_in_a_file_that_older_versions_call_newer() -> None:
    spec = library(state={"rooms": {"101": "free"}})
    text = ArenaFile.of(Arena(id=spec.id(), spec=spec, soundness=REPORT)).text().encode()
    read = read_arena_file(text)
    assert (read.schema_version, read.id, read.spec.state) == (2, spec.id(), {"rooms": {"101": "free"}})
    with pytest.raises(NewerFile):
        read_arena_file(text.replace(b'"schema_version": 2', b'"schema_version": 3', 1))


@pytest.mark.parametrize("claimed", [1, None])
def test_a_file_that_carries_a_state_and_claims_the_version_before_is_refused(claimed: int | None) -> None:
    spec = library(state={"rooms": {"101": "free"}})
    body = json.loads(ArenaFile.of(Arena(id=spec.id(), spec=spec, soundness=REPORT)).text())
    del body["sha256"], body["schema_version"]
    body |= {} if claimed is None else {"schema_version": claimed}
    forged = body | {"sha256": sha256(canonical_json(body).encode()).hexdigest()}
    with pytest.raises(Invalid, match=r"schema_version: 1 cannot carry a state, and spec.state has one: write 2"):
        read_arena_file(json.dumps(forged).encode())


DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"in": DEEP}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"a": "x" * MAX_STATE_BYTES}, "64008 bytes of JSON: 64000 at most"),
        ({"a": "\u00e9" * (MAX_STATE_BYTES // 2)}, "at most"),
        (DEEP, "nested deeper than 32"),
        ({"a": float("inf")}, "not finite"),
        ({"a": 2**63}, "64 bits"),
        ({"a": "\0"}, "NUL"),
        ({"a": "\ud800"}, "not Unicode"),
        ({1: "a"}, "key that is not a text"),
        ({"a": {1, 2}}, "set, which is not JSON"),
        ([], "must be a JSON object, not list"),
    ],
)
def test_what_is_no_state_is_refused_with_the_reason(state: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        state_json(state)


@pytest.mark.parametrize("state", [[], {"a": "x" * MAX_STATE_BYTES}, DEEP, {"a": float("nan")}, {"a": 10**30}])
def test_an_arena_with_such_a_state_is_refused_by_its_field(state: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        library(state=state)
    assert all(error["loc"][0] == "state" for error in refused.value.errors())


@pytest.mark.parametrize(
    "raw", [b"[]", b"{", b'{"a":1e999}', b'{"a":NaN}', b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"[" * 60_000, b"9" * 5000]
)
def test_what_a_stranger_sends_for_a_state_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="state"):
        read_state(raw)


@given(st.binary(max_size=200))
def test_nothing_but_a_state_or_a_refusal_comes_of_bytes(raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(read_state(raw), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~é", max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text("ab/~é", max_size=4), json_values, max_size=4))
def test_every_place_of_a_state_can_be_named(state: dict[str, Any]) -> None:
    assert read_state(state_json(state)) == state
    for key, value in state.items():
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        assert value_at(state, pointer_tokens(pointer)) == value


def test_a_place_that_is_not_there_is_not_there() -> None:
    state = {"rooms": ["101"], "": 1, "n": {"0": 2}}
    assert value_at(state, pointer_tokens("")) == state
    assert value_at(state, pointer_tokens("/")) == 1
    assert value_at(state, pointer_tokens("/n/0")) == 2
    for path in ("/rooms/1", "/rooms/-1", "/rooms/00", "/rooms/-", "/rooms/0/0", "/room", "/rooms/\u0661"):
        with pytest.raises(NotThere):
            value_at(state, pointer_tokens(path))


@pytest.mark.parametrize("path", ["rooms", "/a~", "/a~2b", "#/a", "/" + "a" * 500])
def test_what_is_no_pointer_is_refused_where_it_stands(path: str) -> None:
    subtasks = json.loads(LIBRARY.read_text())["subtasks"]
    subtasks[0]["state_path"] = path
    with pytest.raises(ValidationError, match="JSON Pointer") as refused:
        library(state={}, subtasks=subtasks)
    assert refused.value.errors()[0]["loc"] == ("subtasks", 0, "state_path")


def test_an_end_state_check_needs_a_state() -> None:
    subtasks = json.loads(LIBRARY.read_text())["subtasks"]
    subtasks[0]["state_path"] = "/a"
    assert library(state={"a": 1}, subtasks=subtasks).subtasks[0].state_path == "/a"
    with pytest.raises(ValidationError, match=r"subtasks\[id=1\].state_path: the arena has no `state`"):
        library(subtasks=subtasks)
    trace = {"domain": "d", "question": "q", "final_answer": 1}
    with pytest.raises(ValidationError, match=r"subquestions\[id=1\].state_path: the trace has no state"):
        QATrace(**trace, subquestions=[{"id": 1, "question": "q", "answer": 1, "state_path": "/a"}])
