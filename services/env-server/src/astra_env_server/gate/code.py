"""Checks that read the tools' code and do not run it."""

import ast
import sys
from collections.abc import Iterator

from astra_proto.arenas import ArenaSpec, ArenaTool

from astra_env_server.gate.dependence import ignores_parameters
from astra_env_server.gate.state import PARAMETER, changes_something
from astra_env_server.gate.trees import Tree, parsed


def code(spec: ArenaSpec) -> list[str]:
    """All code parses, imports the standard library only, and defines the function that its schema describes."""
    problems = []
    for tool in (*spec.tools, *spec.distractors):
        tree = _parsed(tool)
        stateful = spec.state is not None and tool in spec.tools
        faults = [tree] if isinstance(tree, str) else [*_imports(tree), *_signature(tool, tree, stateful)]
        problems += [f"tool {tool.name!r}: {fault}" for fault in faults]
    return problems


def constant_code(spec: ArenaSpec) -> list[str]:
    """What a tool returns depends on its parameters, as far as its code can be read."""
    problems = []
    for tool in spec.tools:
        tree = _parsed(tool)
        function = None if isinstance(tree, str) else tree.function(tool.name)
        # One that changes the state may well say "done" whatever it did; what it did is seen when it runs.
        acts = spec.state is not None and function is not None and changes_something(function)
        if function is not None and not acts and ignores_parameters(function):
            problems.append(f"tool {tool.name!r}: nothing it returns depends on its parameters")
    return problems


def _parsed(tool: ArenaTool) -> Tree | str:
    """The code's tree, or what is wrong with it."""
    try:
        return parsed(tool.code)
    except SyntaxError as error:
        return f"does not parse: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"does not parse: {type(error).__name__} {error}"


def _imports(tree: Tree) -> Iterator[str]:
    for node in tree.nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"imports a neighbour (line {node.lineno}): there is none"
            continue
        for module in [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]:
            if module.split(".")[0] not in sys.stdlib_module_names:
                yield f"imports {module!r} (line {node.lineno}): only the standard library is there"


def _signature(tool: ArenaTool, tree: Tree, stateful: bool) -> Iterator[str]:
    function = tree.function(tool.name)
    if function is None:
        yield f"defines no function {tool.name!r} at its top level"
        return
    args = function.args
    if args.posonlyargs or args.vararg or args.kwarg:
        yield "takes positional-only or open-ended parameters: give each argument a name"
        return
    if stateful and (not args.args or args.args[0].arg != PARAMETER):
        yield f"its first parameter must be {PARAMETER!r}: the arena has a state, and every tool of it takes it"
        return
    named = [*args.args, *args.kwonlyargs][stateful:]
    without_default = {a.arg for a in args.args[: len(args.args) - len(args.defaults)]} | {
        a.arg for a, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None
    }
    without_default -= {PARAMETER} if stateful else set()
    properties = tool.parameters.get("properties", {})
    described = set(properties) if isinstance(properties, dict) else set()
    if stateful and PARAMETER in described:
        yield f"its schema describes {PARAMETER!r}, which no caller may give: leave it out"
        return
    taken, required = {a.arg for a in named}, set(tool.parameters.get("required", []))
    if taken != described:
        yield f"takes {sorted(taken)}, its schema describes {sorted(described)}"
    elif late := sorted(without_default - required):
        yield f"needs {late}, which its schema does not require: give them defaults, or require them"
