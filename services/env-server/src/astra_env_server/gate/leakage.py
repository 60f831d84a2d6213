"""Is an answer to be read where the agent reads?"""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from astra_proto.arenas import Answer, ArenaSpec, ArenaTool
from astra_proto.messages import FunctionSpec

from astra_env_server.gate.names import words
from astra_env_server.gate.trees import parsed
from astra_env_server.scoring.folding import fold, number_from
from astra_env_server.scoring.matching import Output

_JOINTS = re.compile(r"[_.\-]+|(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


def is_trivial(answer: Answer) -> bool:
    """Whether the answer is a yes or no or a single digit: it stands in many texts and says nothing there."""
    value = answer.value
    if isinstance(value, bool):
        return True
    number = number_from(_value_text(value)) if isinstance(value, str | int | float) else None
    return number is not None and abs(number) < 10 and number == number.to_integral_value()


def leakage(spec: ArenaSpec) -> list[str]:
    """No answer stands in the prompt, nor in the name, description, schema or docstrings of any tool.

    A single digit is looked for in its own tool only, a yes or no nowhere: they stand everywhere and tell nothing. Nor
    is the answer of an end-state check: it is what is asked for, and no words bring it about.
    """
    prompt = Output(spec.prompt)
    tools = (*spec.tools, *spec.distractors)
    shown = {tool.name: list(_shown(tool)) for tool in tools}
    names = {tool.name: list(_names(tool)) for tool in tools}
    written = {tool.name: [Output(text) for text in _docstrings(tool.code)] for tool in tools}
    problems = []
    for task in spec.subtasks:
        here = f"sub-task {task.id} (tool {task.tool!r})"
        if isinstance(task.answer.value, bool) or task.state_path is not None:
            continue
        trivial = is_trivial(task.answer)
        if not trivial and prompt.holds(task.answer):
            problems.append(f"{here}: the answer {_brief(task.answer)} stands in the prompt")
        problems += [
            f"{here}: the answer {_brief(task.answer)} stands in the {where} of tool {name!r}"
            for name, texts in shown.items()
            if name == task.tool or not trivial
            for where, text in texts
            if text.holds(task.answer)
        ]
        problems += [
            f"{here}: the answer {_brief(task.answer)} stands in the {where} of tool {name!r}"
            for name, spelt in names.items()
            if not trivial
            for where, words_of_name in spelt
            if _spelt(task.answer, words_of_name)
        ]
        problems += [
            f"{here}: the answer {_brief(task.answer)} stands in a docstring of tool {name!r}"
            for name, texts in written.items()
            if not trivial and any(text.holds(task.answer) for text in texts)
        ]
    return list(dict.fromkeys(problems))


def tells_an_answer(spec: ArenaSpec, tool: FunctionSpec) -> bool:
    """Whether an answer of the arena, other than a digit or a yes, stands in a tool that is to be offered beside it."""
    texts = [text for _, text in _shown(tool)]
    names = list(_names(tool))
    asked = [task.answer for task in spec.subtasks if not is_trivial(task.answer)]
    return any(
        any(text.holds(answer) for text in texts) or any(_spelt(answer, each) for _, each in names) for answer in asked
    )


def everything_shown(spec: ArenaSpec) -> str:
    """All the text that an agent is shown before it does anything."""
    tools = [t.spec().model_dump() for t in (*spec.tools, *spec.distractors)]
    return f"{spec.prompt}\n{json.dumps(tools, ensure_ascii=False)}"


def _shown(tool: ArenaTool | FunctionSpec) -> Iterator[tuple[str, Output]]:
    yield "name", Output(_JOINTS.sub(" ", tool.name) + " ")
    yield "description", Output(tool.description + " ")
    for text in _texts(tool.parameters):
        yield "schema", Output(text)


def _names(tool: ArenaTool | FunctionSpec) -> Iterator[tuple[str, list[str]]]:
    """The words of the tool's name, and of those of its arguments."""
    yield "name", _read(tool.name)
    properties = tool.parameters.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        yield "schema", _read(name)


_LONGEST = 1_000
"""Characters of a name that are read: no more are a name."""


def _read(name: str) -> list[str]:
    return _WORD.findall(fold(_JOINTS.sub(" ", name[:_LONGEST])))


_JOINED = 3
"""Letters and digits that an answer must have, at least, to be looked for without what stands between its words."""


def _spelt(answer: Answer, name: list[str]) -> bool:
    """Whether a name has the answer in it. No name has dashes, dots or spaces: the answer's words are looked for."""
    value = answer.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = _value_text(value)
    wanted = _WORD.findall(fold(text))
    if not wanted:
        return False
    joined = "".join(wanted)
    in_one = number_from(text) is None and len(joined) >= _JOINED
    for start in range(len(name)):
        if name[start : start + len(wanted)] == wanted or (in_one and _begins_with(name[start:], joined)):
            return True
    return False


def _begins_with(name: list[str], joined: str) -> bool:
    """Whether the first few words of a name are this text when they are joined."""
    met = ""
    for word in name:
        met += word
        if len(met) >= len(joined):
            break
    return met == joined


_SAYS_NOTHING = words(
    "type minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems multipleOf "
    "minProperties maxProperties minContains maxContains required uniqueItems additionalProperties"
)
"""Keywords of a schema whose values are no values of an argument: a bound says nothing."""


def _texts(schema: Any) -> Iterator[str]:
    """All that a schema says, keywords that nobody knows included: the agent is shown them as well."""
    if isinstance(schema, list):
        for child in schema:
            yield from _texts(child)
    elif not isinstance(schema, dict):
        yield _value_text(schema)
    else:
        for key, value in schema.items():
            if key in ("properties", "$defs", "definitions", "dependentSchemas") and isinstance(value, dict):
                for name, child in value.items():
                    yield _JOINTS.sub(" ", name)
                    yield from _texts(child)
            elif key not in _SAYS_NOTHING or isinstance(value, dict):
                yield from _texts(value)
        if "minimum" in schema and schema["minimum"] == schema.get("maximum"):
            yield _value_text(schema["minimum"])


def _docstrings(code: str) -> Iterator[str]:
    """Of the module and of what it defines."""
    try:
        tree = parsed(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.nodes:
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _brief(answer: Answer) -> str:
    return repr(answer.value)[:80]
