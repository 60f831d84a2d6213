"""Rows of ours are the same arenas when they come back; rows of others are told what is wrong with them."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from astra_datasets.faults import Kind
from astra_datasets.importing import Defaults, RowReport, Verdict, import_row
from astra_datasets.parsing import parse
from astra_datasets.rows import row_of
from astra_datasets.search import Run
from astra_proto.arenas import ArenaSpec, Topology
from astra_proto.soundness import SoundnessReport

pytestmark = pytest.mark.anyio

Row = dict[str, Any]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def lenient(spec: ArenaSpec) -> SoundnessReport:
    """A gate that lets everything through: the real one has tests of its own, and stands before the real import."""
    return SoundnessReport(sound=True, oracle_reward=1.0, checks=[])


@pytest.fixture
def ask(run: Run) -> Callable[[Row], Any]:
    async def imported(row: Row) -> tuple[RowReport, ArenaSpec | None]:
        return await import_row(0, row, Defaults(domain="bought"), run, lenient)

    return imported


def written(spec: ArenaSpec, **options: Any) -> Row:
    row: Row = json.loads(row_of(spec, **options).model_dump_json())
    return row


async def test_a_row_of_ours_is_the_same_arena(library: ArenaSpec, wages: ArenaSpec, ask: Any) -> None:
    for spec in (library, wages):
        report, found = await ask(written(spec))
        assert report.verdict is Verdict.SOUND, report.faults
        assert found == spec
        assert (report.arena, report.searched) == (spec.id(), False)


async def test_the_release_shape(library: ArenaSpec) -> None:
    row = written(library, bare=True)
    assert row["prompt"] == [{"role": "user", "content": library.prompt}]
    assert row["arena"] is None
    names = [entry["function"]["name"] for entry in json.loads(row["tool_schema"])]
    assert sorted(json.loads(row["tool_dict"])) == names == sorted(names)
    assert json.loads(row["sub_qa_dict"]) == {"find_overdue_loan": ["12"], "compute_late_fine": ["4.2"]}


async def test_golden_calls_are_found_with_what_is_told(library: ArenaSpec, ask: Any) -> None:
    report, spec = await ask(written(library, bare=True))
    assert (report.verdict, report.answers, report.reachable) == (Verdict.SOUND, 2, 2), report.faults
    calls = {task.tool: task.golden_call.arguments for task in spec.subtasks}
    assert calls["find_overdue_loan"] == {"member_id": "M-2041"}
    assert calls["compute_late_fine"] == {"days_late": 12, "membership": "standard"}
    fine = next(task for task in spec.subtasks if task.tool == "compute_late_fine")
    assert len(fine.depends_on) == 1, "the days come from the other call's output"
    assert spec.topology is Topology.MULTI_HOP
    assert [tool.name for tool in spec.distractors] == [tool.name for tool in library.distractors]


async def test_chinese_rows_are_searched_too(wages: ArenaSpec, ask: Any) -> None:
    report, spec = await ask(written(wages, bare=True))
    assert report.verdict is Verdict.SOUND, report.faults
    assert (spec.language, spec.topology) == ("zh", Topology.PARALLEL_SINGLE_HOP)


def changed(row: Row, name: str, change: Callable[[Any], Any]) -> Row:
    row = copy.deepcopy(row)
    value = json.loads(row[name])
    made = change(value)
    row[name] = json.dumps(made if isinstance(made, dict) else value)
    return row


def renamed(schema: list[Any]) -> None:
    schema.append(copy.deepcopy(schema[0]))


def code(**given: str) -> Callable[[Row], Row]:
    return lambda row: changed(row, "tool_dict", lambda sources: sources | given)


def asked(**given: list[str]) -> Callable[[Row], Row]:
    return lambda row: changed(row, "sub_qa_dict", lambda answers: answers | given)


def column(name: str, value: Any) -> Callable[[Row], Row]:
    return lambda row: row | {name: value}


def no_text(schema: list[Any]) -> None:
    schema[0]["function"]["description"] = 5


FAULTS: list[tuple[Kind, Verdict, Callable[[Row], Row]]] = [
    (Kind.DUPLICATE_NAME, Verdict.BROKEN, lambda r: changed(r, "tool_schema", renamed)),
    (Kind.SCHEMA_WITHOUT_CODE, Verdict.BROKEN, lambda r: changed(r, "tool_dict", lambda d: d.pop("get_branch_hours"))),
    (Kind.CODE_WITHOUT_SCHEMA, Verdict.BROKEN, code(extra="def extra(): pass")),
    (Kind.ANSWER_WITHOUT_TOOL, Verdict.BROKEN, asked(pay=["TX-1"])),
    (Kind.NO_ANSWERS, Verdict.BROKEN, column("sub_qa_dict", "{}")),
    (Kind.NO_ANSWERS, Verdict.BROKEN, asked(compute_late_fine=[""])),
    (Kind.UNDEFINED_FUNCTION, Verdict.BROKEN, code(find_overdue_loan="x = 1")),
    (Kind.UNDEFINED_FUNCTION, Verdict.BROKEN, code(find_overdue_loan="def (")),
    (Kind.UNREACHABLE_ANSWER, Verdict.INCOMPLETE, asked(compute_late_fine=["TX-99"])),
    (Kind.UNGROUNDED_ARGUMENTS, Verdict.INCOMPLETE, column("prompt", [{"role": "user", "content": "How late is it?"}])),
    (Kind.MALFORMED, Verdict.BROKEN, column("tool_schema", "{")),
    (Kind.MALFORMED, Verdict.BROKEN, column("tool_dict", "[]")),
    (Kind.MALFORMED, Verdict.BROKEN, column("sub_qa_dict", '{"a": NaN}')),
    (Kind.MALFORMED, Verdict.BROKEN, column("prompt", [])),
    (Kind.MALFORMED, Verdict.BROKEN, lambda r: {}),
    (Kind.MALFORMED, Verdict.BROKEN, column("prompt", [{"content": "a \ud800"}])),
    (Kind.MALFORMED, Verdict.BROKEN, column("tool_dict", '{"a": "\\ud800"}')),
    (Kind.MALFORMED, Verdict.BROKEN, column("tool_schema", '[{"function": {"parameters": {"minimum": 1e999}}}]')),
    (Kind.MALFORMED, Verdict.BROKEN, asked(find_overdue_loan=[str(n) for n in range(100)])),
    (Kind.MALFORMED, Verdict.BROKEN, column("tool_schema", "[" * 100_000)),
    (Kind.MALFORMED, Verdict.BROKEN, lambda r: changed(r, "tool_schema", no_text)),
]


@pytest.mark.parametrize(
    ("kind", "verdict", "break_it"), FAULTS, ids=[f"{i}-{k.value}" for i, (k, _, _) in enumerate(FAULTS)]
)
async def test_every_fault_is_found(
    kind: Kind, verdict: Verdict, break_it: Callable[[Row], Row], library: ArenaSpec, ask: Any
) -> None:
    report, spec = await ask(break_it(written(library, bare=True)))
    assert kind in {one.kind for one in report.faults}, report.faults
    assert report.verdict is verdict
    assert spec is None
    assert report.arena is None


async def test_what_is_missing_is_said_in_plain_words(library: ArenaSpec, ask: Any) -> None:
    report, _ = await ask({"more": 5})
    assert [(one.where, one.detail.partition(" prompt")[0]) for one in report.faults] == [
        ("row", "it has none of the columns")
    ]
    report, _ = await ask({**written(library), "tool_dict": None, "sub_qa_dict": "{"})
    told = {one.where: one.detail for one in report.faults}
    assert told["tool_dict"] == "the column is missing"
    assert told["sub_qa_dict"].startswith("no JSON: ")


async def test_of_tools_with_a_state_it_is_said_why_nothing_is_found(library: ArenaSpec, ask: Any) -> None:
    row = written(library, bare=True)
    code = json.loads(row["tool_dict"])
    held = code["find_overdue_loan"].replace("find_overdue_loan(", "find_overdue_loan(state, ")
    report, _ = await ask({**row, "tool_dict": json.dumps({**code, "find_overdue_loan": held})})
    lost = [one for one in report.faults if one.kind is Kind.UNREACHABLE_ANSWER and one.where == "find_overdue_loan"]
    assert [one.detail.rpartition("; ")[2] for one in lost] == ["its code takes a state, and no column tells one"]


async def test_two_tools_of_one_name_cost_recall(library: ArenaSpec, ask: Any) -> None:
    """As in the release: two schemas share a name, and the code that survives is not the one of the answer."""
    row = written(library, bare=True)
    row = changed(row, "tool_schema", renamed)
    loan = "def find_overdue_loan(member_id):\n    return {'receipt': 'R-' + member_id}\n"
    row = changed(row, "tool_dict", lambda code: code | {"find_overdue_loan": loan})
    report, _ = await ask(row)
    assert {one.kind for one in report.faults} >= {Kind.DUPLICATE_NAME, Kind.UNREACHABLE_ANSWER}
    assert report.reachable < report.answers == 2


def test_a_name_twice_in_an_object_is_seen(library: ArenaSpec) -> None:
    row = written(library)
    row["tool_dict"] = row["tool_dict"][:-1] + ',"compute_late_fine":"def compute_late_fine(): pass"}'
    assert Kind.DUPLICATE_KEY in {one.kind for one in parse(row).faults}


EDITS: list[Callable[[Row], Row]] = [
    lambda r: changed(r, "tool_dict", lambda d: d | {"find_overdue_loan": d["find_overdue_loan"].replace("12", "13")}),
    lambda r: changed(r, "arena", lambda a: a | {"id": "ar_" + "0" * 32}),
    lambda r: changed(r, "arena", lambda a: a | {"tools": ["gone"]}),
    lambda r: changed(r, "arena", lambda a: a | {"tools": 5}),
    lambda r: changed(r, "arena", lambda a: a | {"subtasks": []}),
    lambda r: changed(r, "sub_qa_dict", lambda d: {"find_overdue_loan": ["12"]}),
]


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edited_row_is_not_the_arena_that_it_says(
    edit: Callable[[Row], Row], library: ArenaSpec, ask: Any
) -> None:
    report, spec = await ask(edit(written(library)))
    assert Kind.EDITED in {one.kind for one in report.faults}
    assert (report.verdict, spec) == (Verdict.BROKEN, None)


@pytest.mark.parametrize("name", ["prompt", "tool_schema", "tool_dict", "sub_qa_dict", "arena"])
@pytest.mark.parametrize(
    "value", [None, 5, [], {}, "", "null", "\ud800", "[[]]", '{"a":' * 200, [{"content": 5}], "1e999"]
)
async def test_nonsense_in_a_column_is_a_fault_and_no_crash(
    name: str, value: Any, library: ArenaSpec, ask: Any
) -> None:
    if (name, value) == ("arena", None):
        return
    report, spec = await ask(written(library) | {name: value})
    assert (report.verdict, spec) == (Verdict.BROKEN, None)
