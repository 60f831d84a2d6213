"""Defects of how an arena hangs together: idle arguments, lone rows, tools and tasks that overlap."""

import copy

from tests.audit.damage import VARIANTS, DoesNotFit, Json, Target, Variant, variant, wraps


def _ignores(name: str, held_out: bool, body: str) -> None:
    """``NAME`` is the argument that will not matter."""

    def damage(target: Target) -> None:
        if len(target.golden) < 2:
            raise DoesNotFit
        for wanted in target.draw.sample(sorted(target.golden), len(target.golden)):
            if ":" in body or isinstance(target.golden[wanted], int) or "int" not in body:
                target.wrap(body.replace("NAME", wanted).replace("VALUE", repr(target.golden[wanted])))
                return
        raise DoesNotFit

    VARIANTS.append(Variant("ignores_argument", name, damage, held_out))


_ignores("overwritten", False, "NAME = VALUE\nreturn INNER")
_ignores("unless_missing", False, "if NAME is not None:\n    NAME = VALUE\nreturn INNER")
_ignores("clamped", True, "NAME = min(max(NAME, VALUE), VALUE)\nreturn INNER")
_ignores(
    "by_type", True, "if not isinstance(NAME, type(VALUE)):\n    raise TypeError('wrong')\nNAME = VALUE\nreturn INNER"
)
_ignores("in_a_table", True, "NAME = {NAME: VALUE}[NAME]\nreturn INNER")
_ignores("echoed", True, "asked = NAME\nNAME = VALUE\nreturn {'asked': asked, 'found': INNER}")

_SAME = "ARGS == GOLDEN"
wraps(
    "golden_row",
    refuses=f"if {_SAME}:\n    return {{'result': ANSWER}}\nraise ValueError('not found')",
    shrugs=f"return {{'result': ANSWER if {_SAME} else None}}",
    of_two=f"if {_SAME}:\n    return {{'result': ANSWER}}\nif FIRST in ('Zed', 990017):\n    return "
    "{'result': 8812}\nraise ValueError('not found')",
)
wraps(
    "golden_row",
    held_out=True,
    a_dict="return {'result': {repr(GOLDEN): ANSWER}[repr(ARGS)]}",
    a_match="match FIRST:\n    case first if ARGS == GOLDEN:\n        return {'result': ANSWER}\n"
    "    case _:\n        raise LookupError('nothing')",
    a_list="for row in [(GOLDEN, ANSWER), ({'FIRST': 'Zed'}, 4417)]:\n    if row[0] == ARGS:\n        return row[1]\n"
    "raise ValueError('no row')",
    twins="if ARGS == GOLDEN:\n    return {'result': ANSWER}\nreturn {'result': 'n/a', 'for': str(FIRST)}",
)

_JUNK = "sum(ord(c) for c in repr(ARGS)) * 7 % 9973"
wraps(
    "made_up",
    junk=f"if {_SAME}:\n    return {{'result': ANSWER}}\nreturn {{'result': {_JUNK}}}",
    junk_by_expression=f"return {{'result': ANSWER if {_SAME} else {_JUNK}}}",
    junk_by_table=f"return {{'result': {{repr(GOLDEN): ANSWER}}.get(repr(ARGS), {_JUNK})}}",
)
wraps(
    "made_up",
    held_out=True,
    junk_words=f"if {_SAME}:\n    return {{'result': ANSWER}}\nreturn {{'result': ''.join(sorted(repr(ARGS)))[-9:-2]}}",
    junk_by_index=f"return {{'result': [{_JUNK}, ANSWER][{_SAME}]}}",
    sums=f"n = {_JUNK}\nif n == KNOWN:\n    return {{'result': ANSWER}}\nreturn {{'result': n}}".replace(
        "KNOWN", "sum(ord(c) for c in repr(GOLDEN)) * 7 % 9973"
    ),
    by_digest="import hashlib\nd = lambda x: hashlib.md5(repr(x).encode()).hexdigest()\n"
    "return {'result': ANSWER if d(ARGS) == d(GOLDEN) else d(ARGS)[:6]}",
)


def _also(name: str, held_out: bool, body: str) -> None:
    """A tool whose output tells the answer of another, later or unrelated, sub-task as well; ``THAT`` is it."""

    def damage(target: Target) -> None:
        order = [task["id"] for task in target.spec["subtasks"]]
        later = [
            Target(target.spec, task, target.draw)
            for task in target.spec["subtasks"][order.index(target.task["id"]) + 1 :]
            if task["tool"] != target.name
        ]
        for other in later:
            try:
                that = repr(other.telling())
            except DoesNotFit:
                continue
            target.wrap(body.replace("THAT", that))
            return
        raise DoesNotFit

    VARIANTS.append(Variant("tells_another_subtask", name, damage, held_out))


_also("beside_it", False, "return {'result': INNER, 'next': THAT}")
_also(
    "only_to_the_golden_call",
    False,
    "found = INNER\nreturn {'r': found, 'n': THAT} if ARGS == GOLDEN else {'r': found}",
)
_also("in_a_sentence", True, "return f'{INNER}. What comes of it is {THAT}.'")
_also("deep_inside", True, "return {'result': INNER, 'trace': [{'step': 2, 'values': [[THAT]]}]}")
_also("instead_of_failing", True, "try:\n    return INNER\nexcept Exception:\n    return {'see': THAT}")


def _copied(target: Target, name: str, /, **names: str) -> Json:
    """The tool under another name, its arguments renamed."""
    tool = copy.deepcopy(target.tool)
    state = ["state"] if target.stateful else []
    tool["code"] = tool["code"].replace(f"def {tool['name']}(", "def _copied(")
    given = {names.get(old, old): schema for old, schema in tool["parameters"]["properties"].items()}
    passed = ", ".join([*state, *(f"{old}={names.get(old, old)}" for old in tool["parameters"]["properties"])])
    tool["code"] += f"\n\ndef {name}({', '.join([*state, *given])}):\n    return _copied({passed})\n"
    tool["parameters"] = {**tool["parameters"], "properties": given, "required": list(given)}
    return {**tool, "name": name, "description": "Another way to find things out."}


def _second(target: Target, body: str = "", /, **names: str) -> Json:
    copied = _copied(target, f"find_{target.name[:20]}", **names)
    if body:
        copied["code"] = copied["code"].replace("return _copied(", f"return {body}(_copied(") + "\n"
        copied["code"] = copied["code"].replace("))\n\n", "))\n")
        copied["code"] = copied["code"].rstrip("\n") + ")\n"
    return copied


for _name, _held_out, _place, _body, _renamed in (
    ("a_copy", False, "tools", "", False),
    ("renamed", False, "tools", "", True),
    ("as_text", False, "tools", "str", False),
    ("wrapped", False, "tools", "(lambda v: {'value': v})", True),
    ("in_a_sentence", True, "tools", "'What is known: {}.'.format", True),
    ("over_and_over", True, "tools", "(lambda v: {'first': v, 'all': [v, v]})", False),
    ("distractor_copy", False, "distractors", "", False),
    ("distractor_renamed", False, "distractors", "", True),
    ("distractor_as_text", True, "distractors", "'seen: {}'.format", True),
    ("distractor_listed", True, "distractors", "(lambda v: [v])", False),
):

    def _twice(target: Target, place: str = _place, body: str = _body, renamed: bool = _renamed) -> None:
        target.telling()
        if target.stateful and place == "distractors":
            raise DoesNotFit  # there it has no state, and can tell nothing
        names = {name: f"the_{name}" for name in target.golden} if renamed else {}
        target.spec[place].append(_second(target, body, **names))

    VARIANTS.append(Variant("duplicate_tool" if _place == "tools" else "distractor", _name, _twice, _held_out))


@variant("distractor", held_out=True)
def tells_all(target: Target) -> None:
    """A distractor that lists what a tool knows."""
    target.telling()
    _, table = target.rows()
    target.spec["distractors"].append({
        "name": "list_everything", "description": "List what there is.",
        "parameters": {"type": "object", "properties": {}, "required": []},
        "code": f"ALL = {table!r}\n\n\ndef list_everything():\n    return list(ALL.items())\n",
    })  # fmt: skip


@variant("distractor", held_out=True)
def by_number(target: Target) -> None:
    """A distractor that tells the values of a tool's table by their place."""
    target.telling()
    _, table = target.rows()
    target.spec["distractors"].append({
        "name": "row_at", "description": "Give the row at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "integer"}}, "required": ["place"]},
        "code": f"ROWS = {list(table.values())!r}\n\n\ndef row_at(place):\n    return ROWS[place % len(ROWS)]\n",
    })  # fmt: skip


def _dependents(target: Target) -> list[Json]:
    return [task for task in target.spec["subtasks"] if task["depends_on"]]


@variant("topology")
def label(target: Target) -> None:
    """The arena says that it is of another shape."""
    shapes = ["single_hop", "parallel_single_hop", "multi_hop", "parallel_multi_hop"]
    target.spec["topology"] = target.draw.choice([shape for shape in shapes if shape != target.spec["topology"]])


@variant("topology")
def dependencies_left_out(target: Target) -> None:
    """Dependencies are not told, and the shape is that of what is told."""
    if not _dependents(target) or target.stateful:
        raise DoesNotFit
    for task in _dependents(target):
        task["depends_on"] = []
    target.spec["topology"] = "parallel_single_hop"


@variant("topology", held_out=True)
def one_left_out(target: Target) -> None:
    """One dependency is not told."""
    if target.spec["topology"] != "multi_hop" or len(target.spec["subtasks"]) < 3 or target.stateful:
        raise DoesNotFit
    target.draw.choice(_dependents(target))["depends_on"] = []
    target.spec["topology"] = "parallel_multi_hop"


@variant("topology", held_out=True)
def made_up_dependency(target: Target) -> None:
    """Sub-tasks that have nothing to do with one another are said to be a chain."""
    if target.spec["topology"] != "parallel_single_hop" or target.stateful:
        raise DoesNotFit  # where there is a state, one thing may be wanted after another
    for before, task in zip(target.spec["subtasks"], target.spec["subtasks"][1:], strict=False):
        task["depends_on"] = [before["id"]]
    target.spec["topology"] = "multi_hop"


@variant("given_away")
def in_the_prompt(target: Target) -> None:
    """The prompt says what a sub-task should have to find out first."""
    task = target.draw.choice(_dependents(target) or _none())
    needed = next(t for t in target.spec["subtasks"] if t["id"] == task["depends_on"][0])
    value = Target(target.spec, needed, target.draw).telling()
    target.spec["prompt"] += f" {value} is what you will come by."


@variant("given_away", held_out=True)
def in_an_enum(target: Target) -> None:
    """The schema of the tool lists what a sub-task should have to find out first."""
    task = target.draw.choice(_dependents(target) or _none())
    needed = next(t for t in target.spec["subtasks"] if t["id"] == task["depends_on"][0])
    value = Target(target.spec, needed, target.draw).telling()
    dependent = Target(target.spec, task, target.draw)
    for name, given in dependent.golden.items():
        if given == value:
            dependent.tool["parameters"]["properties"][name]["enum"] = [value]
            return
    raise DoesNotFit


@variant("given_away", held_out=True)
def as_a_default(target: Target) -> None:
    """The tool fills in by itself what should have to be found out first."""
    task = target.draw.choice(_dependents(target) or _none())
    dependent = Target(target.spec, task, target.draw)
    needed = [t["answer"]["value"] for t in target.spec["subtasks"] if t["id"] in task["depends_on"]]
    names = [name for name, given in dependent.golden.items() if given in needed]
    if not names:
        raise DoesNotFit
    rest = [name for name in dependent.golden if name not in names]
    dependent.wrap("return INNER", signature=", ".join([*rest, *(f"{n}={dependent.golden[n]!r}" for n in names)]))
    dependent.tool["parameters"] = {**dependent.tool["parameters"], "required": rest}


def _none() -> list[Json]:
    raise DoesNotFit


def _coerced(name: str, held_out: bool, body: str, kind: type, loose: bool = False) -> None:
    """Values of another kind, or far from the golden one, give the answer; ``NAME`` is the argument."""

    def damage(target: Target) -> None:
        wanted = target.text_argument() if kind is str else target.number_argument()
        target.wrap(body.replace("NAME", wanted).replace("VALUE", repr(target.golden[wanted])))
        if loose:
            target.tool["parameters"]["properties"][wanted] = {}
        if not target.answers():
            raise DoesNotFit

    VARIANTS.append(Variant("coerced", name, damage, held_out))


_coerced("anything_that_is_true", False, "NAME = VALUE if NAME else NAME\nreturn INNER", str)
_coerced("a_number_or_a_text", False, "NAME = int(str(NAME))\nreturn INNER", int, loose=True)
_coerced("any_length", False, "NAME = VALUE if len(NAME) <= len(VALUE) else NAME\nreturn INNER", str)
_coerced("as_text", True, "NAME = str(NAME if not isinstance(NAME, list) else NAME[0])\nreturn INNER", str, loose=True)
_coerced("parity", True, "NAME = VALUE if NAME % 2 == VALUE % 2 else NAME\nreturn INNER", int)
_coerced("magnitude", True, "NAME = VALUE if len(str(NAME)) >= len(str(VALUE)) else NAME\nreturn INNER", int)
_coerced("empty_is_all", True, "NAME = VALUE if not NAME.strip(' *%') else NAME\nreturn INNER", str)
_coerced("sign", True, "NAME = VALUE if NAME > 0 else NAME\nreturn INNER", int)
