"""The Python of a tool, looked at before it is run; whether it is sound, the env-server's gate says (paper §3.2.3)."""

import ast
import io
import sys
import tokenize
from collections.abc import Sequence
from functools import lru_cache

from astra_service.syntax import parse
from pydantic import BaseModel, ConfigDict, JsonValue

from astra_synth_worker.arenas.document import DocumentReply
from astra_synth_worker.arenas.matching import holds
from astra_synth_worker.arenas.tries import Rejected
from astra_synth_worker.llm.text import unfenced

_LONGEST = 100_000
"""Characters of code."""
STATE = "state"
"""Name of the parameter by which a tool of a stateful arena gets the state."""


class CodeReply(BaseModel):
    """A tool's code as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    code: str


def accept_code(reply: CodeReply, document: DocumentReply, answers: Sequence[JsonValue], stateful: bool = False) -> str:
    """The code if it defines the documented function and no remark in it tells one of the answers.

    With ``stateful`` the function takes the arena's state before the documented parameters.

    Raises :class:`Rejected` with the first thing wrong with it.
    """
    code = unfenced(reply.code) + "\n"
    if len(code) > _LONGEST:
        raise Rejected("too_long", f"code: it has more than {_LONGEST} characters", reply)
    try:
        tree = _parsed(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Rejected("no_python", f"code: {error}", reply) from None
    if problem := _signature_problem(tree, document, stateful) or _import_problem(tree):
        raise Rejected(*problem, reply)
    if any(holds(remark, answer) for remark in _remarks(tree, code) for answer in answers):
        raise Rejected("answer_in_docstring", "a docstring or comment tells the answer: leave it out", reply)
    return code


@lru_cache(maxsize=256)
def _parsed(code: str) -> ast.Module:
    """The code's tree, which no one may change."""
    return parse(code)


def _signature_problem(tree: ast.Module, document: DocumentReply, stateful: bool) -> tuple[str, str] | None:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == document.name]
    if len(functions) != 1:
        return "no_function", f"code: it must define one function `{document.name}` at its top level"
    arguments = functions[0].args
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        return "wrong_signature", "code: no `*`, `**` or positional-only parameters; name each one"
    names = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    if stateful and not (arguments.args and arguments.args[0].arg == STATE):
        return "wrong_signature", f"code: the first parameter must be `{STATE}`, the records that the tools share"
    names = names[1:] if stateful else names
    wanted = list(document.parameters["properties"])
    if sorted(names) != sorted(wanted):
        return "wrong_signature", f"code: the parameters are {names}, the document says {wanted}"
    optional = {a.arg for a in arguments.args[len(arguments.args) - len(arguments.defaults) :]}
    optional |= {a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None}
    required = set(document.parameters.get("required", []))
    if bare := sorted(set(wanted) - required - optional):
        return "wrong_signature", f"code: {bare} are not required, so they need a default"
    return None


def _import_problem(tree: ast.Module) -> tuple[str, str] | None:
    for node in ast.walk(tree):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "." * node.level]
        for module in modules:
            if module.split(".")[0] not in sys.stdlib_module_names:
                return "foreign_import", f"code: {module!r} is not in Python's standard library"
    return None


def _remarks(tree: ast.Module, code: str) -> list[str]:
    """Docstrings and comments: no agent reads them, but a tool that needs the answer there does not compute it."""
    documented = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    if "#" in code:
        tokens = tokenize.generate_tokens(io.StringIO(code).readline)
        found += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return [remark for remark in found if remark]


def renamed(code: str, old: str, new: str) -> str | None:
    """The code with its function called otherwise; None where the name is also that of something else in it."""
    for node in ast.walk(_parsed(code)):
        other = (
            (isinstance(node, ast.Attribute) and node.attr == old)
            or (isinstance(node, ast.arg) and node.arg == old)
            or (isinstance(node, ast.keyword) and node.arg == old)
            or (isinstance(node, ast.Name) and node.id == old and not isinstance(node.ctx, ast.Load))
            or (isinstance(node, ast.Name) and node.id == new)
        )
        if other:
            return None
    lines = code.split("\n")
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(code).readline))):
        if token.type == tokenize.NAME and token.string == old:
            row, start = token.start[0] - 1, token.start[1]
            lines[row] = lines[row][:start] + new + lines[row][start + len(old) :]
    return "\n".join(lines)


def top_level_names(code: str) -> set[str] | None:
    """The names a module binds when it is loaded; None where that cannot be told, or it must be loaded alone."""
    names: set[str] = set()
    for node in _parsed(code).body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if not all(isinstance(target, ast.Name) for target in targets):
                    return None
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.Expr(value=ast.Constant()):
                continue
            case _:
                return None
    return names


@lru_cache(maxsize=256)
def operators(code: str) -> frozenset[str]:
    """What a code computes with: its arithmetic, and the functions that choose or add up. Two tools that differ here
    do different things, however alike they look."""
    found: set[str] = set()
    for node in ast.walk(_parsed(code)):
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            found.add(type(node.op).__name__)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CHOOSING:
            found.add(node.func.id)
    return frozenset(found)


def without_data(code: str) -> str:
    """The code with every literal value and every display of literals taken out: its logic."""
    return ast.dump(_WithoutData().visit(parse(code)))


_CHOOSING = {"min", "max", "sum", "sorted", "abs", "round", "len", "divmod", "pow"}


class _WithoutData(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(value=None)

    def _display(self, node: ast.expr) -> ast.AST:
        try:
            ast.literal_eval(node)
        except (ValueError, TypeError):
            return self.generic_visit(node)
        return ast.Constant(value=None)

    visit_Dict = visit_List = visit_Tuple = visit_Set = _display
