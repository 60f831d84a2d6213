"""Code as a tree, parsed and walked once for all the checks that only read it."""

import ast
from dataclasses import dataclass
from functools import lru_cache

from astra_service.syntax import parse

_KEPT = 64
_KEPT_CHARACTERS = 8_000
"""Longer code is parsed anew each time: its tree is a hundred times as large, and somebody may send much of it."""


@dataclass(frozen=True)
class Tree:
    """A module, and all that is in it. Nobody may change it: others read it too."""

    module: ast.Module
    nodes: tuple[ast.AST, ...]

    def function(self, name: str) -> ast.FunctionDef | None:
        """The function of this name at the top level: of several the last one, as when the module runs."""
        defined = [node for node in self.module.body if isinstance(node, ast.FunctionDef) and node.name == name]
        return defined[-1] if defined else None


def parsed(code: str) -> Tree:
    """The tree of some code. Raises SyntaxError, ValueError, RecursionError and MemoryError, as ``parse`` does."""
    return _kept(code) if len(code) <= _KEPT_CHARACTERS else _parse(code)


def _parse(code: str) -> Tree:
    module = parse(code)
    return Tree(module, tuple(ast.walk(module)))


_kept = lru_cache(maxsize=_KEPT)(_parse)
