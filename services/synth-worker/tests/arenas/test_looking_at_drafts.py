"""The parts of pipeline B that look at text: answers in outputs, code, names, findings."""

import ast
import doctest
from typing import Any

import pytest
from astra_proto.arenas import ArenaTool, GoldenCall
from astra_proto.errors import UnsoundArena
from astra_proto.soundness import Check, SoundnessReport
from astra_proto.traces import QATrace
from astra_synth_worker.arenas import matching
from astra_synth_worker.arenas.assemble import assemble
from astra_synth_worker.arenas.code import CodeReply, accept_code, renamed
from astra_synth_worker.arenas.document import DocumentReply, accept_document
from astra_synth_worker.arenas.findings import blamed_distractors, refusals, report_of
from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.arenas.sandbox import grouped
from astra_synth_worker.arenas.tries import Rejected
from astra_synth_worker.teacher.draw import draw_sketch


def part(number: int, name: str, code: str | None = None, **arguments: Any) -> Part:
    parameters = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    text = code or f"_{name.upper()} = {{}}\n\n\ndef {name}(x: str) -> dict:\n    return {{'v': x}}\n"
    tool = ArenaTool(name=name, description="It looks.", parameters=parameters, code=text)
    return Part(id=number, tool=tool, call=GoldenCall(name=name, arguments=arguments or {"x": "a"}))


def trace(count: int) -> QATrace:
    subs = [{"id": i, "question": f"q{i}", "answer": f"Answer{i}"} for i in range(1, count + 1)]
    return QATrace.model_validate({"domain": "d", "question": "q", "final_answer": "f", "subquestions": subs})


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(matching).failed == 0


@pytest.mark.parametrize(
    ("text", "answer", "held"),
    [
        ('{"n": 5}', 5, True),
        ("15 apples", 5, False),
        ("5.2 kg", 5, False),
        ("1,234.50 in all", 1234.5, True),
        ("costs $300.", 300, True),
        ('{"n": 300}', "300", True),
        ("the Maple branch", "maple", True),
        ("Maplewood", "Maple", False),
        ("在白云分馆", "白云", True),
        ("K4-718", "K4-718", True),
        ("K4-7181", "K4-718", False),
        ('["b", "a"]', ["a", "b"], True),
        ('["b"]', ["a", "b"], False),
        ('{"a": 1, "b": "x"}', {"a": 1, "b": "x"}, True),
        ("true", True, True),
        ("", "x", False),
    ],
)
def test_an_output_holds_an_answer_as_a_whole(text: str, answer: Any, held: bool) -> None:
    assert holds(text, answer) is held


def document(**changes: Any) -> DocumentReply:
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a"],
    }
    return DocumentReply.model_validate({"name": "look", "description": "Looks.", "parameters": parameters} | changes)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "class", "_x", "x" * 65, "größe"])
def test_a_name_that_python_or_models_stumble_over_is_rejected(name: str) -> None:
    with pytest.raises(Rejected, match="bad_name"):
        accept_document(document(name=name), [])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "array"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": "text"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": 1}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"type": "string", "minLength": "x"}}, "required": ["a"]},
        {"type": "object", "properties": {"a b": {"type": "string"}}, "required": ["a b"]},
    ],
)
def test_parameters_that_are_no_functions_are_rejected(parameters: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="bad_schema"):
        accept_document(document(parameters=parameters), [])


def test_an_answer_in_an_example_of_the_schema_is_rejected() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "examples": ["Maple"]}}, "required": ["a"]}
    with pytest.raises(Rejected, match="answer_in_document"):
        accept_document(document(parameters=parameters), ["Maple"])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def look(a: str, b: int = 0): return a", None),
        ("def look(*, b: int = 0, a: str): return a", None),
        ("import math, json.decoder\nfrom datetime import date\ndef look(a, b=1): return a", None),
        ("def look(a: str, b: int): return a", "wrong_signature"),
        ("def look(a, **b): return a", "wrong_signature"),
        ("def look(a, /, b=1): return a", "wrong_signature"),
        ("async def look(a, b=1): return a", "no_function"),
        ("class look: pass", "no_function"),
        ("if 1:\n  def look(a, b=1): return a", "no_function"),
        ("from . import x\ndef look(a, b=1): return a", "foreign_import"),
        ("def look(a, b=1):\n    import requests\n    return a", "foreign_import"),
        ("def look(a, b=1): return a  # Maple", "answer_in_docstring"),
        ("x = (" * 3000, "no_python"),
        ("x = 1\0", "no_python"),
        ("x" * 100_001, "too_long"),
    ],
)
def test_code_is_looked_at_before_it_is_run(code: str, reason: str | None) -> None:
    if reason is None:
        assert accept_code(CodeReply(code=code), document(), ["Maple"]) == f"{code}\n"
        return
    with pytest.raises(Rejected, match=reason):
        accept_code(CodeReply(code=code), document(), ["Maple"])


def test_renaming_a_function_renames_its_calls_and_nothing_else() -> None:
    code = 'def f(x):\n    """f of x"""\n    return f(x - 1) if x else "f"\n'
    changed = renamed(code, "f", "f_2")
    assert changed == 'def f_2(x):\n    """f of x"""\n    return f_2(x - 1) if x else "f"\n'
    ast.parse(changed)


@pytest.mark.parametrize("body", ["return x.f", "return g(f=x)", "f = x\n    return f", "return f_2"])
def test_a_function_whose_name_is_used_for_more_is_not_renamed(body: str) -> None:
    assert renamed(f"def f(x):\n    {body}\n", "f", "f_2") is None


def test_an_arena_has_no_holes() -> None:
    sketch = draw_sketch("library", 0)
    with pytest.raises(ValueError, match="no holes"):
        assemble(sketch.trace, sketch.parts[1:], [], None)  # type: ignore[arg-type]


def test_codes_that_bind_the_same_names_are_run_apart() -> None:
    table = "T = {}\ndef b(x: str) -> dict:\n    return {}\n"
    importing = "import json\ndef c(x: str) -> dict:\n    return {}\n"
    parts = [part(1, "a", "T = 1\ndef a(x: str): return T"), part(2, "b", table), part(3, "c", importing), part(4, "d")]
    parts.append(part(5, "b", table, x="z"))
    groups = [[p.id for p in group] for group in grouped(parts)]
    assert groups == [[1, 4], [2, 5], [3]]


def unsound(*failures: tuple[str, str]) -> SoundnessReport:
    checks = [Check(name=name, passed=False, detail=detail) for name, detail in failures]
    return SoundnessReport(sound=False, oracle_reward=0.5, checks=[*checks, Check(name="x", passed=True, detail="")])


def test_findings_go_to_the_parts_they_name() -> None:
    parts = [part(1, "look"), part(2, "look_up"), part(12, "find")]
    report = unsound(("sensitivity", "sub-task 1 (tool 'look'): 'find' it"), ("clock", "tool 'look_up': calls time()"))
    found = {r.part.id: r for r in refusals(report, parts, set())}
    assert set(found) == {1, 2, 12}
    assert found[2].reason == "clock"
    assert found[2].keeps_document
    assert [r.part.id for r in refusals(unsound(("oracle", "sub-task 12 (tool 'find'): no")), parts, set())] == [12]
    (leaks,) = refusals(unsound(("leakage", "stands in the schema of tool 'look'")), parts, set())
    assert not leaks.keeps_document


def test_findings_that_name_no_part_go_to_all_unless_a_distractor_is_to_blame() -> None:
    parts = [part(1, "look"), part(2, "find")]
    tools = [part(9, "spoil").tool, part(9, "idle").tool]
    assert len(refusals(unsound(("limits", "too slow")), parts, set())) == 2
    report = unsound(("distractors", "distractor 'spoil': gives the answer"))
    assert blamed_distractors(report, tools) == {"spoil": report.checks[0]}
    assert refusals(report, parts, {"spoil"}) == []
    assert refusals(unsound(("distractors", "spoil solves sub-task 1")), parts, {"spoil"}) == []
    assert len(refusals(unsound(("overlap", "spoil and look are one")), parts, {"spoil"})) == 1


def test_a_refusal_without_a_report_is_a_finding_too() -> None:
    for extra in ({}, {"report": None}, {"report": {"sound": True}}, {"report": unsound().model_dump()}):
        report = report_of(UnsoundArena("no", **extra))
        assert [check.detail for check in report.failures()] == ["no"]
