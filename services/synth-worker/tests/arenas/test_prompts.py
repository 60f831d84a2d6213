"""What a model is told: everything it needs, in the language of the job."""

from typing import Any

import pytest
from astra_proto.arenas import ArenaTool
from astra_synth_worker.arenas.verdicts import shown
from astra_synth_worker.llm.base import Prompt
from astra_synth_worker.llm.render import render, template_hash
from astra_synth_worker.teacher.draw import draw_sketch

TRACE = shown(draw_sketch("library", 0).trace)
TOOL = ArenaTool(
    name="look",
    description="It looks.",
    parameters={"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
    code="def look(x: str) -> dict:\n    return {'v': x}\n",
).model_dump()
ABOUT = {"domain": "library", "seed": 7, "topology": "multi_hop", "hops": 3, "min_hops": None, "max_hops": None}
ASKED = {"question": "WHERE", "knowledge": "KNOWN", "taxonomy": None, "earlier": {"draft": "DRAFT", "problem": "OOPS"}}
OF_TOOL = {"id": 2, "known": [{"question": "BEFORE", "answer": "Łódź"}], "tool": TOOL, "arguments": {"x": "值"}}
OTHER = {"arguments": {"y": "OTHER"}, "code": "CODE"}
MERGE = {"calls": [{"arguments": {"x": "OLD"}, "answer": 333}], "other": OTHER, "members": [{"id": 5, "code": "CODE"}]}
STATELESS = {"stateful": False, "state": None, "state_path": None}
STATEFUL = {"stateful": True, "state": {"seats": {"A1": {"guest": "Ida"}}}, "state_path": "/seats/A1/guest"}
ALL = {**ABOUT, **ASKED, **OF_TOOL, **MERGE, "answer": 517, "tools": [TOOL], "count": 2, "trace": TRACE}
FIRST = TRACE["subquestions"][0]["question"]

WANTED = {
    "qa_trace": ["WHERE", "KNOWN", "OOPS", "3"],
    "tool_necessity": [FIRST, "needs_tool", "OOPS"],
    "trace_dependency": [FIRST, '"ok"'],
    "trace_atomicity": [FIRST, '"ok"'],
    "trace_sequence": [FIRST, '"ok"'],
    "trace_completeness": [FIRST, "covered_by", TRACE["question"]],
    "tool_document": ["WHERE", "BEFORE", "Łódź", "OOPS"],
    "tool_scale": ["WHERE", "Łódź", '"look"', "OOPS"],
    "tool_call": ["WHERE", "Łódź", '"look"', "DRAFT"],
    "tool_code": ["WHERE", "517", "值", '"look"', "OOPS"],
    "tool_clusters": ["CODE", "OOPS"],
    "tool_merge": ["WHERE", "517", "OLD", "333", "OTHER", "OOPS"],
    "distractors": ["WHERE", '"look"', "2"],
}
OF_STATE = {
    "qa_trace": ["state_path", '"state"'],
    "tool_document": ["/seats/A1/guest", "517", "Ida"],
    "tool_code": ["/seats/A1/guest", "Ida", "state: dict"],
}


def told(name: str, **more: Any) -> str:
    (message,) = render(Prompt(name, {**ALL, **STATELESS, **more}))
    text: str = message["content"]
    return text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", WANTED)
def test_prompts_say_what_is_wanted_in_the_language_of_the_job(name: str, language: str) -> None:
    text = told(name, language=language)
    assert ("请" in text) is (language == "zh")
    assert "{{" not in text
    assert "{%" not in text
    assert template_hash(name)
    assert [each for each in WANTED[name] if each not in text] == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", OF_STATE)
def test_of_a_state_they_tell_where_there_is_one(name: str, language: str) -> None:
    text = told(name, language=language, **STATEFUL)
    assert [each for each in OF_STATE[name] if each not in text] == []
    assert "state" not in told(name, language=language)


def test_a_document_is_asked_for_without_the_answer() -> None:
    assert "517" not in told("tool_document", language="en")


@pytest.mark.parametrize(("language", "said"), [("en", "has 2 to 4 sub-questions"), ("zh", "包含 2 到 4 个子问题")])
def test_a_range_of_layers_is_told(language: str, said: str) -> None:
    assert said in told("qa_trace", language=language, hops=None, min_hops=2, max_hops=4)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_corner_of_a_taxonomy_is_told_with_its_example_if_there_is_one(language: str) -> None:
    leaf = {"path": "loans / early repayment", "description": "Of fees.", "example": "What do I owe?"}
    shown_ = told("qa_trace", language=language, taxonomy=leaf)
    assert all(each in shown_ for each in leaf.values())
    assert "What do I owe?" not in told("qa_trace", language=language, taxonomy={**leaf, "example": None})
