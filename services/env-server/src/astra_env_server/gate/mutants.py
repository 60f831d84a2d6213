"""Mutants of a tool's code, all in one module that is told by a number which of them to be.

One import serves them all, and the module says which of its places a call came by: a mutant of code that the golden
call does not run cannot be caught by it and counts for nothing.

What is mutated: comparisons and the tests of branches are turned round (so that a branch that was taken is dropped),
operators become others, numbers move, texts that are used as keys change, and so does each parameter where it is read.
What a golden call cannot be expected to notice is left alone: what a comparison compares (a bound may be looser, a case
that is not the golden one may be another), tables of literals (a call reads one row of many), messages of errors, type
checks.
"""

import ast
import math
from dataclasses import dataclass

from astra_service.syntax import parse

SUFFIX = "__mutants"
"""Behind a tool's name: the function that runs its mutants."""

_PRELUDE = """
import json as _astra_json
import operator as _astra_operator
_astra_on = -1
_astra_seen = set()
_astra_turns = set()
_astra_other = {
    "add": _astra_operator.sub, "sub": _astra_operator.add, "mul": _astra_operator.add,
    "truediv": _astra_operator.mul, "floordiv": _astra_operator.mul, "mod": _astra_operator.mul,
    "pow": _astra_operator.mul,
}
def _astra_at(number):
    _astra_seen.add(number)
    return number == _astra_on
def _astra_turned(number, value):
    if _astra_on < 0:
        _astra_turns.add((number, bool(value)))
    return not value if _astra_at(number) else value
def _astra_binary(number, name, left, right):
    return (_astra_other[name] if _astra_at(number) else getattr(_astra_operator, name))(left, right)
def _astra_text(value, conversion, spec, write=format, ways={115: str, 114: repr, 97: ascii}):
    return write(ways[conversion](value) if conversion in ways else value, spec)
def _astra_changed(number, value):
    if not _astra_at(number):
        return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, (list, tuple)):
        return value[1:]
    if isinstance(value, dict):
        return {}
    try:
        return value + "x" if isinstance(value, str) else value + 1
    except Exception:
        return value
"""

_RUN = """
def {run}({state}number, arguments):
    global _astra_on
    if type(number) is list:
        return [_astra_outcome(each, arguments) for each in number]
    _astra_on = number
    _astra_seen.clear()
    _astra_turns.clear()
    result = {name}({state}**arguments)
    return result if number >= 0 else {{"seen": [*_astra_seen], "turns": [*_astra_turns]}}
def _astra_outcome(number, arguments):
    try:
        value = {run}(number, _astra_json.loads(_astra_json.dumps(arguments)))
        return [True, value if type(value) is str else _astra_json.dumps(value)]
    except BaseException:
        return [False, ""]
"""

_OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow",
}  # fmt: skip
_BLIND = frozenset({"isinstance", "issubclass", "hasattr", "type", "print", "range", "zip", "enumerate"})
"""Functions whose arguments are not mutated: type checks, and what shapes a loop and not its result."""
_TABLE = 6
"""Literals that make a collection a table: data, of which a call need not meet all."""


@dataclass(frozen=True)
class Mutated:
    """A module that holds every mutant of a tool."""

    name: str
    """Of its function: ``(number, arguments)`` gives what that mutant does.

    For -1 it gives ``seen``, the places that were come by, and ``turns``, which way each comparison went. For a list of
    numbers it gives what each of these mutants does: whether it returned, and what, as text; not in a stateful arena,
    where it takes the state before these."""
    code: str
    places: dict[int, str]
    """Each mutant, in words."""


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one tool."""

    reached: int
    """Mutants that a golden call comes by, and that were run."""
    survived: tuple[str, ...] = ()
    """Those that changed nothing about the answer."""
    caught: tuple[str, ...] = ()
    """The others."""

    @property
    def killed(self) -> int:
        """How many the golden calls caught."""
        return self.reached - len(self.survived)


def mutate(name: str, code: str, *, stateful: bool = False) -> Mutated:
    """All mutants of a tool, none if there is nothing to mutate. Raises what parsing raises."""
    tree = parse(code)
    seeder = _Seeder()
    tree = seeder.visit(tree)
    # Imports from the future must stay first.
    first = next((at for at, node in enumerate(tree.body) if not _opens(node)), len(tree.body))
    opening, rest = (ast.unparse(ast.Module(part, [])) for part in (tree.body[:first], tree.body[first:]))
    run = _RUN.format(run=name + SUFFIX, name=name, state="state, " if stateful else "")
    return Mutated(name + SUFFIX, f"{opening}\n{_PRELUDE}\n{rest}\n{run}", seeder.places)


def _opens(node: ast.stmt) -> bool:
    future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return future or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


class _Seeder(ast.NodeTransformer):
    """Puts a mutant at each place in the bodies of functions where there can be one."""

    def __init__(self) -> None:
        self.places: dict[int, str] = {}
        self._parameters: list[set[str]] = []

    def _call(self, function: str, node: ast.expr, what: str, *arguments: ast.expr) -> ast.expr:
        number = len(self.places)
        self.places[number] = f"line {getattr(node, 'lineno', 0)}: {what}"
        return ast.Call(ast.Name(function, ast.Load()), [ast.Constant(number), *arguments], [])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        args = node.args
        self._parameters.append({a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)})
        node.body = [self.visit(statement) for statement in node.body]  # decorators and defaults are left alone
        self._parameters.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        if self._parameters:
            node.body = self.visit(node.body)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        return self._branch(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._branch(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return self._branch(node)

    def _branch(self, node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        test = node.test
        whole = not isinstance(test, ast.Compare | ast.BoolOp)
        self.generic_visit(node)
        if whole and self._parameters and not _checks_type(test):
            node.test = self._call("_astra_turned", test, "the test turned round", node.test)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        # What is compared is left alone: of two values that differ, another one differs as well.
        if not self._parameters:
            return node
        return self._call("_astra_turned", node, f"{ast.unparse(node)[:80]} turned round", node)

    def _operand(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._call("_astra_changed", node, f"{node.value[:40]!r} changed", node)
        found: ast.expr = self.visit(node)
        return found

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        text = isinstance(node.left, ast.JoinedStr) or isinstance(node.right, ast.JoinedStr)
        text = text or any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in (node.left, node.right))
        self.generic_visit(node)
        kind = _OPERATORS.get(type(node.op))
        if text or kind is None or not self._parameters:
            return node
        return self._call("_astra_binary", node, f"{kind} exchanged", ast.Constant(kind), node.left, node.right)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self._parameters and type(node.value) in (int, float):
            return self._call("_astra_changed", node, f"{node.value!r} changed", node)
        return node

    def _collection(self, node: ast.expr) -> ast.AST:
        return node if _literals(node) >= _TABLE else self.generic_visit(node)

    visit_List = visit_Tuple = visit_Set = visit_Dict = _collection

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and any(node.id in known for known in self._parameters):
            return self._call("_astra_changed", node, f"{node.id} changed", node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            node.slice = self._operand(node.slice) if self._parameters else node.slice
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name in _BLIND:
            return node
        node.func = self.visit(node.func)
        if name == "round":
            node.args[:1] = [self.visit(node.args[0])] if node.args else []
            return node
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = self.visit(node.value) if node.value is not None else None
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.guard = self.visit(node.guard) if node.guard is not None else None
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        if not self._parameters:
            return node
        # As calls: what is put into the braces may need quotes, which they could not hold.
        parts: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                spec = self.visit(part.format_spec) if part.format_spec is not None else ast.Constant("")
                arguments = [self.visit(part.value), ast.Constant(part.conversion), spec]
                parts.append(ast.Call(ast.Name("_astra_text", ast.Load()), arguments, []))
            else:
                parts.append(part)
        joined = ast.Attribute(ast.Constant(""), "join", ast.Load())
        return ast.Call(joined, [ast.List(parts, ast.Load())], [])

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node


def _checks_type(test: ast.expr) -> bool:
    inner = test.operand if isinstance(test, ast.UnaryOp) else test
    return isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in _BLIND


def _literals(node: ast.expr | None) -> float:
    """How many literals a collection of nothing but literals holds; minus infinity where it holds anything else."""
    match node:
        case ast.Constant():
            return 1
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return 1
        case ast.List() | ast.Tuple() | ast.Set():
            return sum(map(_literals, node.elts))
        case ast.Dict():
            return sum(map(_literals, [*node.keys, *node.values]))
    return -math.inf
