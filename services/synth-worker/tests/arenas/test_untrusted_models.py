"""Whatever a model writes, nothing unsound is published, and the reason is told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from astra_proto.arenas import Arena, ArenaView, Topology
from astra_proto.jobs import ArenaJob
from astra_proto.pages import Page
from astra_synth_worker.arenas.pipeline import make_arena
from astra_synth_worker.arenas.question import origin
from astra_synth_worker.jobs.context import Context, Refused
from astra_synth_worker.llm.base import Prompt

from .conftest import Contexts
from .saboteur import Saboteur, Twist

pytestmark = pytest.mark.anyio

ONE_CALL = ArenaJob(domain="clinic", topology=Topology.SINGLE_HOP, seed=1)
"""Asks for the answer of one tool that takes one text."""
FEW = {"arena_rounds": 2, "draft_tries": 2, "question_tries": 2}


async def published(context: Context) -> set[str]:
    ids: set[str] = set()
    cursor: str | None = None
    while True:
        page = await context.env_server.get("/arenas", Page[ArenaView], cursor=cursor, limit=100)
        ids |= {arena.id for arena in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return ids


def code(write: Callable[[str, str, Any, Any], str]) -> Twist:
    """The code replaced by what ``write`` makes of the tool's name, its one parameter, that one's value, the answer."""

    def twist(_: Any, prompt: Prompt) -> Any:
        ((parameter, value),) = prompt.variables["arguments"].items()
        return {"code": write(prompt.variables["tool"]["name"], parameter, value, prompt.variables["answer"])}

    return twist


def subs(change: Callable[[list[dict[str, Any]]], Any]) -> Twist:
    """The sub-questions of the trace changed in place."""

    def twist(reply: Any, _: Prompt) -> Any:
        change(reply["subquestions"])
        return reply

    return twist


CODES = {
    "constant_code": lambda name, p, v, a: f"def {name}({p}: str) -> dict:\n    return {{'it': {a!r}}}\n",
    "constant_output": lambda name, p, v, a: (
        f"def {name}({p}: str) -> dict:\n    return {{'it': {a!r}}} if {p} else 0\n"
    ),
    "clock": lambda name, p, v, a: (
        f"import time\n\ndef {name}({p}: str) -> dict:\n    t = time.time()\n"
        f"    return {{'it': {a!r}, 'of': {p}, 'at': t}}\n"
    ),
    "determinism": lambda name, p, v, a: (
        f"import random\n_R = random\n\ndef {name}({p}: str) -> dict:\n"
        f"    return {{'it': {a!r} if {p} == {v!r} else 1, 'of': {p}, 'noise': _R.random()}}\n"
    ),
    "sensitivity": lambda name, p, v, a: (
        f"def {name}({p}: str) -> dict:\n    return {{'it': {a!r} if {p}[0].isupper() else 1, 'of': {p}}}\n"
    ),
    "failures": lambda name, p, v, a: (
        f"_ROWS = {{{v!r}: {a!r}, 'Ada': 'Osprey', 'Ben': 'Heron'}}\n\ndef {name}({p}: str) -> dict:\n"
        f"    if {p} not in _ROWS:\n        raise ValueError(f'only {{_ROWS}} are known')\n"
        f"    return {{'it': _ROWS[{p}]}}\n"
    ),
    "repeatable": lambda name, p, v, a: (
        f"_ROWS = {{{v!r}: {a!r}, 'Ada': 'Osprey', 'Ben': 'Heron'}}\n\ndef {name}({p}: str) -> dict:\n"
        f"    first, *_ = {{_ROWS[{p}], 'Plover', 'Avocet', 'Zander'}}\n    return {{'it': _ROWS[{p}], 'of': first}}\n"
    ),
    "answer_in_docstring": lambda name, p, v, a: (
        f'def {name}({p}: str) -> dict:\n    """Gives {a}."""\n    return {{"it": {p}}}\n'
    ),
    "no_python": lambda name, p, v, a: "def (:\n",
    "no_function": lambda name, p, v, a: f"def other({p}: str) -> dict:\n    return {{'it': {p}}}\n",
    "wrong_signature": lambda name, p, v, a: f"def {name}({p}: str, more: str) -> dict:\n    return {{'it': {p}}}\n",
    "foreign_import": lambda name, p, v, a: f"import numpy\n\ndef {name}({p}: str) -> dict:\n    return {p}\n",
    "call_failed": lambda name, p, v, a: f"def {name}({p}: str) -> dict:\n    raise ValueError('no')\n",
    "answer_not_in_output": lambda name, p, v, a: f"def {name}({p}: str) -> dict:\n    return {{'it': 'x{a}9'}}\n",
}


@pytest.mark.parametrize("reason", CODES)
async def test_code_that_is_not_a_tool_is_refused(contexts: Contexts, reason: str) -> None:
    llm = Saboteur({"tool_code": code(CODES[reason])})
    context = await contexts(ONE_CALL, llm, **FEW | {"arena_rounds": 1})
    before = await published(context)
    with pytest.raises(Refused) as refused:
        await make_arena(ONE_CALL, context)
    assert refused.value.reason == reason
    assert refused.value.detail
    assert await published(context) == before


DOCUMENTS: dict[str, Callable[[Any, Any], Any]] = {
    "bad_name": lambda doc, a: {**doc, "name": "not a name"},
    "bad_description": lambda doc, a: {**doc, "description": " "},
    "bad_schema": lambda doc, a: {**doc, "parameters": {"type": "object", "properties": {"x": {"type": "number?"}}}},
    "answer_in_document": lambda doc, a: {**doc, "description": f"Such as {a}."},
}


@pytest.mark.parametrize("reason", DOCUMENTS)
async def test_a_document_that_is_no_tools_is_refused(contexts: Contexts, reason: str) -> None:
    job = ArenaJob(domain="library", topology=Topology.SINGLE_HOP, seed=3)
    answers = json.loads((await Saboteur().complete(trace_prompt(job))).content or "")["final_answer"]
    llm = Saboteur({"tool_document": lambda reply, _: DOCUMENTS[reason](reply, answers)})
    context = await contexts(job, llm, **FEW)
    before = await published(context)
    with pytest.raises(Refused) as refused:
        await make_arena(job, context)
    assert refused.value.reason == reason
    assert await published(context) == before


def trace_prompt(job: ArenaJob) -> Prompt:
    return Prompt("qa_trace", {**origin(job), "question": None, "knowledge": None, "taxonomy": None, "earlier": None})


@pytest.mark.parametrize(
    "arguments", [{}, {"nonsense": 1}, {"title": 7, "branch": 7, "clerk": 7}], ids=["none", "unknown", "mistyped"]
)
async def test_a_call_that_does_not_fit_is_refused(contexts: Contexts, arguments: dict[str, Any]) -> None:
    job = ArenaJob(domain="library", topology=Topology.SINGLE_HOP, seed=3)
    context = await contexts(job, Saboteur({"tool_call": lambda *_: {"arguments": arguments}}), **FEW)
    with pytest.raises(Refused) as refused:
        await make_arena(job, context)
    assert refused.value.reason == "bad_arguments"


TRACES: dict[str, tuple[str, Callable[[list[dict[str, Any]]], Any]]] = {
    "itself": ("bad_trace", lambda s: s[0].update(depends_on=[1])),
    "a cycle": ("bad_trace", lambda s: s[0].update(depends_on=[2])),
    "what is not there": ("bad_trace", lambda s: s[1].update(depends_on=[9])),
    "id 0": ("bad_trace", lambda s: s[0].update(id=0)),
    "one id twice": ("bad_trace", lambda s: s[1].update(id=1, depends_on=[])),
    "no sub-question": ("bad_trace", lambda s: s.clear()),
    "an empty answer": ("bad_trace", lambda s: s[0].update(answer="")),
    "no answer": ("bad_trace", lambda s: s[0].update(answer=None)),
    "another shape": ("wrong_topology", lambda s: s[1].update(depends_on=[])),
    "one layer more": ("wrong_hops", lambda s: s.append({**s[1], "id": 3, "depends_on": [2], "answer": "Zett"})),
}


@pytest.mark.parametrize("case", TRACES)
async def test_a_trace_that_does_not_hold_is_refused(contexts: Contexts, case: str) -> None:
    reason, change = TRACES[case]
    job = ArenaJob(domain="logistics", topology=Topology.MULTI_HOP, hops=2, seed=5)
    llm = Saboteur({"qa_trace": subs(change)})
    context = await contexts(job, llm, **FEW)
    before = await published(context)
    with pytest.raises(Refused) as refused:
        await make_arena(job, context)
    assert refused.value.reason == reason
    assert [prompt.name for prompt in llm.asked] == ["qa_trace"] * 2
    assert reason in llm.asked[1].variables["earlier"].problem
    assert await published(context) == before


@pytest.mark.parametrize("missing", ["subquestions", "final_answer"])
async def test_a_trace_with_a_field_missing_is_asked_for_again_and_then_given_up(
    contexts: Contexts, missing: str
) -> None:
    job = ArenaJob(domain="logistics", seed=6)
    llm = Saboteur({"qa_trace": lambda reply, _: {k: v for k, v in reply.items() if k != missing}})
    with pytest.raises(Refused, match=f"malformed_reply.*{missing}") as refused:
        await make_arena(job, await contexts(job, llm, **FEW))
    assert refused.value.counted == {"tries": {"malformed_reply": 1}}
    assert len(llm.asked) == 3


async def test_a_shape_that_cannot_be_is_refused_before_anyone_is_asked(contexts: Contexts) -> None:
    job = ArenaJob(domain="clinic", topology=Topology.SINGLE_HOP, hops=3)
    llm = Saboteur()
    with pytest.raises(Refused) as refused:
        await make_arena(job, await contexts(job, llm))
    assert refused.value.reason == "impossible_shape"
    assert llm.asked == []


@pytest.mark.parametrize(
    ("language", "question"), [("zh", "Which branch holds it?"), ("en", "哪个分馆有这本书？")], ids=["zh", "en"]
)
async def test_a_question_in_another_language_is_refused(contexts: Contexts, language: str, question: str) -> None:
    given = ArenaJob.model_validate({"domain": "library", "language": language, "question": question})
    llm = Saboteur()
    with pytest.raises(Refused, match="wrong_language"):
        await make_arena(given, await contexts(given, llm, **FEW))
    assert llm.asked == []
    llm = Saboteur({"qa_trace": lambda reply, _: {**reply, "question": question}})
    invented = ArenaJob.model_validate({"domain": "library", "language": language})
    with pytest.raises(Refused, match="wrong_language"):
        await make_arena(invented, await contexts(invented, llm, **FEW))
    assert len(llm.asked) == 2


async def test_what_the_sandbox_saw_goes_into_the_next_draft(contexts: Contexts) -> None:
    """The first code answers wrongly; told so, the model writes a right one."""

    def twist(reply: Any, prompt: Prompt) -> Any:
        if prompt.variables["earlier"] is None:
            return code(CODES["answer_not_in_output"])(reply, prompt)
        return reply

    llm = Saboteur({"tool_code": twist})
    context = await contexts(ONE_CALL, llm)
    outcome = await make_arena(ONE_CALL, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert arena.soundness.sound
    assert arena.spec.provenance.tries == 2
    told = [prompt.variables["earlier"] for prompt in llm.asked if prompt.name == "tool_code"]
    assert "does not hold the answer" in told[1].problem
    assert [prompt.name for prompt in llm.asked].count("tool_document") == 1, "the document was good"


async def test_what_the_gate_found_goes_into_the_next_draft(contexts: Contexts) -> None:
    """The first code gives the answer to whoever asks, which only the gate sees."""

    def twist(reply: Any, prompt: Prompt) -> Any:
        return code(CODES["sensitivity"])(reply, prompt) if prompt.variables["earlier"] is None else reply

    llm = Saboteur({"tool_code": twist})
    context = await contexts(ONE_CALL, llm)
    outcome = await make_arena(ONE_CALL, context)
    assert outcome.result["rounds"] == 2
    told = [prompt.variables["earlier"] for prompt in llm.asked if prompt.name == "tool_code"]
    assert told[1].problem.startswith("sensitivity: sensitivity: sub-task 1")


async def test_a_distractor_that_gives_an_answer_away_is_left_out(contexts: Contexts) -> None:

    def twist(reply: Any, prompt: Prompt) -> Any:
        (tool,) = prompt.variables["tools"]
        (answer,) = [s["answer"] for s in answers]
        (parameter,) = tool["parameters"]["properties"]
        spoiler = f"def tell_all({parameter}: str) -> dict:\n    return {{'all': [{answer!r}, {parameter}]}}\n"
        broken = {**tool, "name": "broken_one", "code": "import nothing_there\n"}
        return {"tools": [{**tool, "name": "tell_all", "code": spoiler}, broken, reply["tools"][0]]}

    answers = json.loads((await Saboteur().complete(trace_prompt(ONE_CALL))).content or "")["subquestions"]
    context = await contexts(ONE_CALL, Saboteur({"distractors": twist}))
    outcome = await make_arena(ONE_CALL, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert outcome.result["rounds"] == 2
    assert len(arena.spec.distractors) == 1
    assert arena.spec.provenance.refused == {"distractors": 1, "no_function": 1}
    assert not {"tell_all", "broken_one"} & {tool.name for tool in arena.spec.distractors}


async def test_distractors_that_are_no_json_leave_an_arena_without(contexts: Contexts) -> None:
    job = ArenaJob(domain="retail", seed=8)
    context = await contexts(job, Saboteur({"distractors": lambda *_: "I would rather not."}))
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert arena.spec.distractors == []
    assert context.usage.malformed == 3


async def test_two_tools_of_one_name_get_two_names(contexts: Contexts) -> None:
    """Models name alike what they think of alike; the second is renamed, in its code too."""

    def document(reply: Any, _: Prompt) -> Any:
        return {**reply, "name": "look_up"}

    def source(reply: Any, prompt: Prompt) -> Any:
        own = reply["code"].split("def ", 1)[1].split("(", 1)[0]
        return {"code": reply["code"].replace(f"def {own}(", "def look_up(")}

    job = ArenaJob(domain="library", topology=Topology.MULTI_HOP, hops=3, seed=2)
    context = await contexts(job, Saboteur({"tool_document": document, "tool_code": source}))
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert [tool.name for tool in arena.spec.tools] == ["look_up", "look_up_2", "look_up_3"]
    assert arena.soundness.oracle_reward == 1.0


async def test_a_last_step_that_needs_no_tool_has_no_sub_task(contexts: Contexts) -> None:
    def change(found: list[dict[str, Any]]) -> None:
        asked = "Is it that of question 1 or of question 2?"
        found.append({"id": 3, "question": asked, "answer": "both", "depends_on": [1, 2]})

    def gate(reply: Any, _: Prompt) -> Any:
        reply["verdicts"][2]["needs_tool"] = False
        return reply

    job = ArenaJob(domain="retail", topology=None, seed=21)
    shallow = ArenaJob(domain="retail", topology=Topology.MULTI_HOP, hops=2, seed=21)
    prompt = trace_prompt(shallow)

    reply = json.loads((await Saboteur().complete(prompt)).content or "")
    change(reply["subquestions"])
    llm = Relabelled(shallow, {"qa_trace": lambda *_: reply, "tool_necessity": gate})
    context = await contexts(job, llm)
    outcome = await make_arena(job, context)
    arena = await context.env_server.get(f"/arenas/{outcome.result['arena_id']}/full", Arena)
    assert [task.id for task in arena.spec.subtasks] == [1, 2]
    assert arena.spec.topology is Topology.MULTI_HOP


class Relabelled(Saboteur):
    """Answers as if another job had asked."""

    def __init__(self, job: ArenaJob, twists: dict[str, Twist]) -> None:
        super().__init__(twists)
        self._job = job

    async def complete(self, prompt: Prompt) -> Any:
        wanted = {"topology": self._job.topology, "hops": self._job.hops}
        same = Prompt(prompt.name, {**prompt.variables, **wanted}, seed=prompt.seed)
        return await super().complete(same)
