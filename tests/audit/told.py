"""Defects of what an agent is told: the answer stands in an error, a description, a schema, a name, the prompt."""

from typing import Any

from tests.audit.damage import VARIANTS, DoesNotFit, Json, Target, Variant, variant, wraps


def _said(target: Target) -> str:
    return str(target.telling())


def _fails(name: str, held_out: bool, body: str) -> None:
    def damage(target: Target) -> None:
        target.telling()
        target.wrap(body)

    damage.__name__ = name
    variant("leak_error", held_out=held_out)(damage)


_RETHROW = "try:\n    return INNER\nexcept Exception as error:\n    "
_fails("in_the_message", False, _RETHROW + "raise ValueError(f'{error}; for example, one gives {ANSWER}')")
_fails("as_a_hint", False, _RETHROW + "return {'error': str(error), 'hint': ANSWER}")
_fails("as_a_key", True, _RETHROW + "raise KeyError(ANSWER)")
_fails("in_an_assertion", True, "found = None\n" + _RETHROW + "assert found == ANSWER, ('expected', ANSWER)")
_fails("among_others", True, _RETHROW + "raise LookupError('results are such as: ' + ', '.join(['none', str(ANSWER)]))")
_fails("for_small_mistakes", False, _RETHROW + "raise ValueError(str(error) + (f' (hint: {ANSWER})' if FIRST else ''))")


@variant("leak_error")
def whole_table_in_the_message(target: Target) -> None:
    """It says all that it knows to whoever asks for something else."""
    target.telling()
    name, _ = target.rows()
    target.wrap(f"if FIRST not in {name}:\n    raise ValueError(f'not in {{{name}}}')\nreturn INNER")


@variant("leak_description")
def for_example(target: Target) -> None:
    """The description has the answer as an example."""
    target.tool["description"] += f" For example, it gives {_said(target)}."


@variant("leak_description")
def of_another_tool(target: Target) -> None:
    """Another tool's description has it."""
    target.another().tool["description"] += f" Not to be used for {_said(target)}."


@variant("leak_description", held_out=True)
def of_a_distractor(target: Target) -> None:
    """A distractor's description has it."""
    if not target.spec["distractors"]:
        raise DoesNotFit
    target.spec["distractors"][0]["description"] = (
        f"About {_said(target)}: " + target.spec["distractors"][0]["description"]
    )


@variant("leak_description", held_out=True)
def with_separators(target: Target) -> None:
    """A number with a comma for thousands, a name in capitals."""
    value = target.telling()
    shown = f"{value:,}" if isinstance(value, int | float) else value.upper()
    target.tool["description"] += f" (last result: {shown})"


def _schema(name: str, held_out: bool, **more: str) -> None:
    def damage(target: Target) -> None:
        _said(target)
        described = target.tool["parameters"]["properties"][target.first]
        for key, how in more.items():
            described[key] = _filled(how, target)

    damage.__name__ = name
    variant("leak_schema", held_out=held_out)(damage)


def _filled(how: str, target: Target) -> Any:
    given = target.golden[target.first]
    ways: Json = {
        "value": target.answer, "list": [given, target.answer], "text": f"such that the result is {target.answer}",
        "lists": [[target.answer]], "map": {"result": target.answer},
    }  # fmt: skip
    return ways[how]


_schema("examples", False, examples="list")
_schema("described", False, description="text")
_schema("default", False, default="value")
_schema("comment", False, **{"$comment": "text"})
_schema("title", True, title="text")
_schema("own_keyword", True, **{"x-result": "value"})
_schema("own_map", True, **{"x-golden": "map"})
_schema("format", True, format="text")


@variant("leak_schema", held_out=True)
def output_schema(target: Target) -> None:
    """Beside the properties, what comes out is described, with an example."""
    target.tool["parameters"]["returns"] = {"type": "object", "example": {"result": target.telling()}}


@variant("leak_schema", held_out=True)
def an_argument_more(target: Target) -> None:
    """An optional argument whose only value is the answer."""
    target.wrap("return INNER", signature=", ".join([*target.golden, "expected=None"]))
    target.tool["parameters"]["properties"]["expected"] = {"enum": [target.telling(), None]}


def _rename(target: Target, name: str) -> None:
    old = target.name
    target.tool["code"] = target.tool["code"].replace(f"def {old}(", f"def {name}(")
    target.tool["name"] = name
    for task in target.spec["subtasks"]:
        if task["tool"] == old:
            task["tool"] = task["golden_call"]["name"] = name


def _word(target: Target) -> str:
    word = _said(target).replace(" ", "_").replace("-", "_").replace(".", "_")
    if not word.isascii() or not word.replace("_", "").isalnum():
        raise DoesNotFit
    return word


@variant("leak_tool_name")
def behind(target: Target) -> None:
    """The answer at the end of the tool's name."""
    _rename(target, f"{target.name}_{_word(target)}")


@variant("leak_tool_name")
def between(target: Target) -> None:
    """The answer within the tool's name."""
    _rename(target, f"get_{_word(target).lower()}_by_key")


@variant("leak_tool_name", held_out=True)
def camel(target: Target) -> None:
    """The answer in a name of words that are not set apart."""
    word = _word(target)
    if "_" in word or word[:1].isdigit():
        raise DoesNotFit
    _rename(target, f"fetch{word.capitalize()}Entry")


@variant("leak_tool_name", held_out=True)
def of_a_distractor_s(target: Target) -> None:
    """The answer in the name of a distractor."""
    if not target.spec["distractors"]:
        raise DoesNotFit
    tool = target.spec["distractors"][0]
    name = f"{tool['name']}_of_{_word(target)}"
    tool["code"] = tool["code"].replace(f"def {tool['name']}(", f"def {name}(")
    tool["name"] = name


@variant("leak_prompt")
def added(target: Target) -> None:
    """The prompt says it in passing."""
    target.spec["prompt"] += f" (It was {_said(target)} the last time.)"


@variant("leak_prompt")
def before(target: Target) -> None:
    """The background says it."""
    target.spec["prompt"] = f"Known so far: {_said(target)}.\n\n{target.spec['prompt']}"


@variant("leak_prompt", held_out=True)
def in_capitals(target: Target) -> None:
    """Written otherwise."""
    value = target.telling()
    shown = f"{value:,}" if isinstance(value, int | float) else f"«{value.swapcase()}»"
    target.spec["prompt"] += f" [{shown}]"


@variant("leak_prompt", held_out=True)
def as_json(target: Target) -> None:
    """A record in the prompt."""
    target.spec["prompt"] += f' {{"expected": "{_said(target)}"}}'


@variant("leak_docstring")
def returns(target: Target) -> None:
    """The docstring of the tool's function tells the golden answer."""
    target.telling()
    target.wrap('"""Give the result, such as ANSWER."""\nreturn INNER'.replace("ANSWER", str(target.answer)))


@variant("leak_docstring", held_out=True)
def doctest(target: Target) -> None:
    """The docstring shows the golden call."""
    target.telling()
    call = ", ".join(f"{name}={value!r}" for name, value in target.golden.items()).replace("\\", "")
    target.wrap(f'"""Look it up.\n\n>>> {target.name}({call})\n{target.answer}\n"""\nreturn INNER')


@variant("leak_docstring", held_out=True)
def of_the_module(target: Target) -> None:
    """The module's docstring tells it."""
    target.telling()
    target.tool["code"] = f'"""Made so that the result is {target.answer}."""\n' + target.tool["code"]


def _answers_with(name: str, held_out: bool, value: Any) -> None:
    def damage(target: Target) -> None:
        target.wrap(f"INNER\nreturn {{'verdict': {value!r} if ARGS == GOLDEN else {_opposite(value)!r}}}")
        target.task["answer"]["value"] = value

    damage.__name__ = name
    variant("guessable", held_out=held_out)(damage)


def _opposite(value: Any) -> Any:
    pairs = [(True, False), ("yes", "no"), (1, 0), ("是", "否"), ("true", "false"), ("none", "some")]
    return next(b if value == a and type(value) is type(a) else a for a, b in pairs if value in (a, b) and
                type(value) in (type(a), type(b)))  # fmt: skip


for _value, _late in (
    (True, False),
    ("yes", False),
    (0, False),
    (False, True),
    (1, True),
    ("否", True),
    ("True", True),
):
    _answers_with(
        f"{_value!r}",
        _late,
        _value.lower() if isinstance(_value, str) and _value.isascii() else _value,
    )

wraps("golden_fails", raises="raise ValueError('out of order')")
wraps(
    "golden_fails",
    held_out=True,
    recursion="ask = lambda ask: ask(ask)\nreturn ask(ask)",
    leaves="raise SystemExit(0)",
)


def _says_nothing(name: str, held_out: bool, body: str) -> None:
    """Where an end is asked for, and not what the call says, that is no failure."""

    def damage(target: Target) -> None:
        if target.task.get("state_path") is not None:
            raise DoesNotFit
        target.wrap(body)

    VARIANTS.append(Variant("golden_fails", name, damage, held_out))


_says_nothing("returns_nothing", False, "INNER\nreturn None")
_says_nothing("returns_a_type", True, "return {'result': str(type(INNER))}")


@variant("golden_fails")
def other_reference(target: Target) -> None:
    """The reference answer is another one."""
    target.task["answer"]["value"] = target.other_answer()


@variant("golden_fails", held_out=True)
def other_arguments(target: Target) -> None:
    """The golden call asks for something else."""
    value = target.golden[target.first]
    target.golden[target.first] = value + 1 if isinstance(value, int | float) else value + " II"


@variant("golden_fails")
def nearly(target: Target) -> None:
    """A number that is one off, a text that lacks a letter."""
    value = target.telling()
    target.task["answer"]["value"] = value + 1 if isinstance(value, int | float) else value[:-1]


@variant("golden_fails")
def beheaded(target: Target) -> None:
    """A text that lacks its first letter."""
    value = target.telling()
    if not isinstance(value, str):
        raise DoesNotFit
    target.task["answer"]["value"] = value[1:]
