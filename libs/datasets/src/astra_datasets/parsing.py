"""A row of strangers, read column by column: what it holds, and what is wrong with it."""

import ast
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from astra_proto.arenas import Answer, ArenaTool
from pydantic import JsonValue, ValidationError

from astra_datasets.faults import Fault, Kind, fault
from astra_datasets.rows import answer_of

PUBLIC = ("prompt", "tool_schema", "tool_dict", "sub_qa_dict")
"""The columns of the public RL data."""
MAX_COLUMN = 4_000_000
"""Longest column that is read, in characters; the release's longest has 145,000."""
MAX_DEPTH = 64
MAX_PROMPT = 50_000
MAX_ANSWERS = 64
"""As many sub-tasks as an arena may have."""


@dataclass
class Parsed:
    """What a row holds. Tools are those that have both a schema and code; of two of one name the first."""

    prompt: str = ""
    tools: dict[str, ArenaTool] = field(default_factory=dict)
    wanted: list[tuple[str, Answer]] = field(default_factory=list)
    """Each answer that is asked for, with its tool."""
    rest: dict[str, Any] | None = None
    """The fifth column."""
    faults: list[Fault] = field(default_factory=list)


def parse(row: Mapping[str, Any]) -> Parsed:
    """Read a row; never raises, whatever it is."""
    found = Parsed()
    if all(row.get(name) is None for name in PUBLIC):
        found.faults.append(fault(Kind.MALFORMED, "row", f"it has none of the columns {', '.join(PUBLIC)}"))
        return found
    found.prompt = _prompt(row.get("prompt"), found.faults)
    schema = _column(row, "tool_schema", list, found.faults)
    code = _column(row, "tool_dict", dict, found.faults)
    answers = _column(row, "sub_qa_dict", dict, found.faults)
    if schema is not None and code is not None:
        _tools(schema, code, found)
    if answers is not None:
        _answers(answers, schema or [], code or {}, found)
    if row.get("arena") is not None:
        found.rest = _column(row, "arena", dict, found.faults)
    return found


def _prompt(value: Any, faults: list[Fault]) -> str:
    try:
        value = json.loads(value) if isinstance(value, str) else value
        (message,) = value
        content = message["content"]
        _writable(content)
    except (ValueError, TypeError, KeyError, RecursionError):
        content = None
    if not isinstance(content, str) or not 0 < len(content) <= MAX_PROMPT:
        told = f"must be a list with one message, whose content is a text of {MAX_PROMPT} characters at most"
        faults.append(fault(Kind.MALFORMED, "prompt", told))
        return ""
    return content


def _column(row: Mapping[str, Any], name: str, kind: type, faults: list[Fault]) -> Any:
    text = row.get(name)
    if text is None:
        faults.append(fault(Kind.MALFORMED, name, "the column is missing"))
        return None
    doubles: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        doubles.extend(key for key, times in Counter(key for key, _ in items).items() if times > 1)
        return dict(items)

    try:
        if not isinstance(text, str) or len(text) > MAX_COLUMN:
            raise ValueError(f"must be a text of JSON, {MAX_COLUMN} characters at most")
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_number)
        if _too_deep(value):
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        _writable(value)
    except json.JSONDecodeError as error:
        faults.append(fault(Kind.MALFORMED, name, f"no JSON: {error}"))
        return None
    except RecursionError:
        faults.append(fault(Kind.MALFORMED, name, f"nested deeper than {MAX_DEPTH}"))
        return None
    except ValueError as error:
        faults.append(fault(Kind.MALFORMED, name, str(error)))
        return None
    if not isinstance(value, kind):
        faults.append(fault(Kind.MALFORMED, name, f"must hold a JSON {'array' if kind is list else 'object'}"))
        return None
    if name != "tool_schema":
        faults += [fault(Kind.DUPLICATE_KEY, f"{name}.{key}", "stands there more than once") for key in doubles]
    return value


def _writable(value: Any) -> None:
    """Raise ValueError for what JSON in UTF-8 cannot hold: a lone surrogate, a number beyond all bounds."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
        if not level:
            return False
    return True


def _tools(schema: list[Any], code: dict[str, Any], found: Parsed) -> None:
    functions = [_function(entry) for entry in schema]
    names = Counter(str(f.get("name")) for f in functions)
    for name, times in names.items():
        if times > 1:
            told = f"{times} entries have this name; tool_dict can hold the code of one of them only"
            found.faults.append(fault(Kind.DUPLICATE_NAME, f"tool_schema.{name}", told))
    for name in code:
        if name not in names:
            found.faults.append(fault(Kind.CODE_WITHOUT_SCHEMA, f"tool_dict.{name}", "no schema offers it"))
    for function in functions:
        name = str(function.get("name"))
        if name not in code:
            found.faults.append(fault(Kind.SCHEMA_WITHOUT_CODE, f"tool_schema.{name}", "tool_dict has no code for it"))
        elif name not in found.tools and (tool := _tool(function, code[name], found.faults)) is not None:
            found.tools[name] = tool


def _function(entry: Any) -> dict[str, Any]:
    inner = entry.get("function", entry) if isinstance(entry, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _tool(function: dict[str, Any], code: Any, faults: list[Fault]) -> ArenaTool | None:
    name = str(function.get("name"))
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    try:
        tool = ArenaTool(name=name, description=function.get("description") or name, parameters=parameters, code=code)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()[:3])
        faults.append(fault(Kind.MALFORMED, f"tool_schema.{name}", told))
        return None
    if problem := _undefined(tool):
        faults.append(fault(Kind.UNDEFINED_FUNCTION, f"tool_dict.{name}", problem))
        return None
    return tool


def _undefined(tool: ArenaTool) -> str | None:
    try:
        tree = ast.parse(tool.code)  # noqa: TID251, for rows are read in one thread
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the code does not parse: {error}"
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if tool.name in defined:
        return None
    return f"the code defines no function of this name, but: {', '.join(defined) or 'none'}"


def takes_state(tool: ArenaTool) -> bool:
    """Whether its function begins with a parameter ``state`` that the schema does not have."""
    for node in ast.parse(tool.code).body:  # noqa: TID251, for rows are read in one thread
        if isinstance(node, ast.FunctionDef) and node.name == tool.name:
            first = node.args.args[0].arg if node.args.args else ""
            return first == "state" and "state" not in tool.parameters.get("properties", {})
    return False


def _answers(answers: dict[str, Any], schema: list[Any], code: dict[str, Any], found: Parsed) -> None:
    offered = {str(_function(entry).get("name")) for entry in schema} & set(code)
    if not answers:
        found.faults.append(fault(Kind.NO_ANSWERS, "sub_qa_dict", "nothing is asked"))
    for name, texts in answers.items():
        if name not in offered:
            missing = "neither a schema nor code" if name not in code else "no schema"
            found.faults.append(fault(Kind.ANSWER_WITHOUT_TOOL, f"sub_qa_dict.{name}", f"there is {missing} for it"))
        for text in texts if isinstance(texts, list) else [texts]:
            _answer(name, text, found)
    if len(found.wanted) > MAX_ANSWERS:
        told = f"it asks for {len(found.wanted)} answers, an arena has {MAX_ANSWERS} at most"
        found.faults.append(fault(Kind.MALFORMED, "sub_qa_dict", told))
        del found.wanted[MAX_ANSWERS:]


def _answer(name: str, text: JsonValue, found: Parsed) -> None:
    try:
        found.wanted.append((name, answer_of(text)))
    except (ValidationError, ValueError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        found.faults.append(fault(Kind.NO_ANSWERS, f"sub_qa_dict.{name}", told))
