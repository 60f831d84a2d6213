"""What every damaged arena is made with: a sound arena as JSON, and ways to change the code of its tools.

A variant is one program of one kind of defect. It gets a copy of a sound arena to change; where it does not fit that
arena it says so by :class:`DoesNotFit`, and another arena is tried. Variants that are *held out* were not looked at
while the gate was worked on: what is caught of them tells how it does on defects that nobody thought of.
"""

import ast
import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from astra_proto.state import NotThere, pointer_tokens, value_at

Json = dict[str, Any]


class DoesNotFit(Exception):
    """This arena has nothing that the variant could damage."""


@dataclass
class Target:
    """One sub-task of a sound arena, its tool, and what may be needed to damage them."""

    spec: Json
    task: Json
    draw: random.Random

    @property
    def tool(self) -> Json:
        """The tool of the sub-task."""
        return next(tool for tool in self.spec["tools"] if tool["name"] == self.task["tool"])

    @property
    def name(self) -> str:
        """Of the tool."""
        return str(self.task["tool"])

    @property
    def golden(self) -> Json:
        """The golden arguments."""
        arguments: Json = self.task["golden_call"]["arguments"]
        return arguments

    @property
    def answer(self) -> Any:
        """The reference answer."""
        return self.task["answer"]["value"]

    @property
    def first(self) -> str:
        """The first golden argument's name."""
        return next(iter(self.golden))

    @property
    def stateful(self) -> bool:
        """Whether the tools of the arena share a state."""
        return "state" in self.spec

    def telling(self) -> Any:
        """The answer, of a sub-task whose answer says something: at least two digits, or three letters.

        That of an end-state check may be told: saying it brings nothing about.
        """
        value = self.answer
        if self.task.get("state_path") is not None:
            raise DoesNotFit
        big = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10
        if not big and not (isinstance(value, str) and len(value) >= 2 and not value.isdigit()):
            raise DoesNotFit
        return value

    def text_argument(self) -> str:
        """The name of a golden argument that is a text."""
        return self._argument(str)

    def number_argument(self) -> str:
        """The name of a golden argument that is a whole number."""
        return self._argument(int)

    def wrap(self, body: str, head: str = "", signature: str | None = None) -> None:
        """Put a function of the tool's name around its own, which is called ``_inner`` from then on.

        In ``body``, ``ANSWER``, ``GOLDEN`` (a dict), ``ARGS`` (a dict of the arguments given) and ``FIRST`` (the first
        of them) stand for what they say; ``return INNER`` returns what the tool would have.
        """
        if "ANSWER" in body and "_put(" not in body and self.task.get("state_path") is not None:
            raise DoesNotFit  # saying what the end is to be is no defect
        code, name = self.tool["code"], self.name
        function = next(n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef) and n.name == name)
        names = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)][self.stateful :]
        state = ["state"] if self.stateful else []
        signature = ast.unparse(function.args) if signature is None else ", ".join([*state, *filter(None, [signature])])
        filled = (
            body.replace("ANSWER", repr(self.answer))
            .replace("GOLDEN", repr(self.golden))
            .replace("ARGS", "{" + ", ".join(f"{n!r}: {n}" for n in names) + "}")
            .replace("FIRST", self.first)
            .replace("INNER", f"_inner({', '.join([*state, *(f'{n}={n}' for n in names)])})")
            .replace("_inner(**", "_inner(state, **" if self.stateful else "_inner(**")
        )
        lines = "".join(f"    {line}\n" for line in filled.strip("\n").splitlines())
        renamed = code.replace(f"def {name}(", "def _inner(")
        self.tool["code"] = f"{head}{renamed}\n\ndef {name}({signature}):\n{lines}"

    def answers(self, without: int | None = None) -> bool:
        """Whether the tool, as it is now, gives the answer to its golden call here, or brings it about.

        ``without`` is the id of a sub-task whose call is not made before.
        """
        try:
            output, _, after = self.played(without)
        except Exception:
            return False
        if (path := self.task.get("state_path")) is None:
            return str(self.answer) in str(output)
        try:
            return str(value_at(after, pointer_tokens(path))).casefold() == str(self.answer).casefold()
        except NotThere:
            return False

    def played(self, without: int | None = None) -> tuple[Any, Any, Any]:
        """What the golden call gives here, and the state before and after it, all calls before it made.

        Raises what the code raises.
        """
        state = copy.deepcopy(self.spec.get("state"))
        for task in self.spec["subtasks"] if self.stateful else [self.task]:
            if task["id"] == without:
                continue
            module: Json = {}
            exec(next(tool["code"] for tool in self.spec["tools"] if tool["name"] == task["tool"]), module)
            before, given = copy.deepcopy(state), copy.deepcopy(task["golden_call"]["arguments"])
            try:
                output = module[task["tool"]](*([state] if self.stateful else []), **given)
            except Exception:
                if task is self.task or without is None:
                    raise
                state = before  # it waited for the call that is left out
            if task is self.task:
                return output, before, state
        raise DoesNotFit

    def said(self, arguments: Json) -> str:
        """What comes of a call of the tool with these arguments instead of the golden ones, failures included."""
        task = {**self.task, "golden_call": {"name": self.name, "arguments": arguments}}
        subtasks = [task if each is self.task else each for each in self.spec["subtasks"]]
        try:
            output, _, after = Target({**self.spec, "subtasks": subtasks}, task, self.draw).played()
        except Exception as error:
            return f"failed: {type(error).__name__}"
        return repr((output, after))

    def strange(self) -> list[Json]:
        """Calls that the schema allows, with one argument of which the tool should know nothing."""
        properties = self.tool["parameters"]["properties"]
        values: dict[type, list[Any]] = {str: ["", "*", " ", "Zed", "Zed-990017"], int: [0, 3, 990_017]}
        return [
            {**self.golden, name: value}
            for name, golden in self.golden.items()
            for value in values.get(type(golden), [])
            if "enum" not in properties[name]
            and not (type(golden) is int and value < properties[name].get("minimum", value))
        ]

    def other_answer(self) -> Any:
        """A value like the answer that is not the answer."""
        value = self.answer
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return value + self.draw.randint(3, 30)
        if isinstance(value, str):
            letters = list(value)
            self.draw.shuffle(letters)
            return "".join(letters).capitalize() + "en"
        raise DoesNotFit

    def another(self) -> "Target":
        """Another sub-task of the arena, with a tool of its own."""
        found = [t for t in self.spec["subtasks"] if t["tool"] != self.name]
        if not found:
            raise DoesNotFit
        return Target(self.spec, self.draw.choice(found), self.draw)

    def rows(self) -> tuple[str, dict[Any, Any]]:
        """Name and content of a table of the tool's code that leads from one text or number to the answer."""
        for node in ast.parse(self.tool["code"]).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                try:
                    table = ast.literal_eval(node.value)
                except ValueError:
                    continue
                if table.get(next(iter(self.golden.values()), None)) == self.answer:
                    return str(getattr(node.targets[0], "id", "")), table
        raise DoesNotFit

    def _argument(self, kind: type) -> str:
        found = [name for name, value in self.golden.items() if type(value) is kind]
        if not found:
            raise DoesNotFit
        return found[0]


Damage = Callable[[Target], None]


@dataclass(frozen=True)
class Variant:
    """One program of a kind of defect."""

    kind: str
    name: str
    damage: Damage
    held_out: bool


VARIANTS: list[Variant] = []
"""All of them; the modules of defects add theirs as they are imported."""


def variant(kind: str, *, held_out: bool = False) -> Callable[[Damage], Damage]:
    """Make a function a variant of a kind of defect."""

    def add(damage: Damage) -> Damage:
        VARIANTS.append(Variant(kind, damage.__name__, damage, held_out))
        return damage

    return add


def wraps(kind: str, *, held_out: bool = False, **bodies: str | tuple[str, str]) -> None:
    """Variants that are a function around the tool's own, by name: its body, or its body and what stands above."""
    for name, text in bodies.items():
        body, head = (text, "") if isinstance(text, str) else text

        def damage(target: Target, body: str = body, head: str = head) -> None:
            target.wrap(body, head)

        VARIANTS.append(Variant(kind, name, damage, held_out))
