"""From a function to the code of an arena's tool."""

import ast
import inspect
from functools import cache
from typing import Any

from astra_proto.arenas import ArenaTool
from astra_service.syntax import parse

from astra_synth_worker.teacher.stateful.world import Function, Tool


def arena_tool(name: str, tool: Tool, language: str) -> ArenaTool:
    """The tool as arenas have it: the function behind those that it calls, standard library only, no annotations."""
    return ArenaTool(
        name=name,
        description=tool.words[language],
        parameters={"type": "object", "properties": dict(tool.properties), "required": list(tool.properties)},
        code="\n\n\n".join(_plain(function) for function in (*tool.helpers, tool.function)) + "\n",
    )


@cache
def _plain(function: Function) -> str:
    return ast.unparse(_Unannotated().visit(parse(inspect.getsource(function))))


class _Unannotated(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        assert node.value is not None
        return ast.Assign([node.target], node.value, lineno=node.lineno)
