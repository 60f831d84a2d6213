"""Does what a function returns depend on its parameters? Read from its syntax.

When in doubt, it does: whoever is wrongly let through here is met again when the code runs. A test that can only raise
makes nothing depend: ``if not x: raise`` before ``return 42`` leaves 42 a constant.
"""

import ast
from collections.abc import Iterator


def ignores_parameters(function: ast.FunctionDef) -> bool:
    """Whether no ``return`` of the function can be seen to depend on a parameter."""
    args = function.args
    parameters = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    if not parameters:
        return True
    tainted = set(parameters)
    while True:
        before = len(tainted)
        finding = _Reader(tainted)
        finding.block(function.body, under=False)
        if finding.depends:
            return False
        if len(tainted) == before:
            return True


_HARMLESS = (ast.Raise, ast.Assert, ast.Pass, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)


class _Reader:
    """One pass over the statements; ``tainted`` grows by the names that hold something of a parameter."""

    def __init__(self, tainted: set[str]) -> None:
        self.tainted = tainted
        self.depends = False

    def block(self, body: list[ast.stmt], *, under: bool) -> None:
        """Read statements; ``under`` says that whether they run depends on a parameter."""
        for statement in body:
            self._statement(statement, under)

    def _statement(self, node: ast.stmt, under: bool) -> None:
        for walrus in (child for child in ast.walk(node) if isinstance(child, ast.NamedExpr)):
            if self._uses(walrus.value):
                self.tainted.add(walrus.target.id)
        if isinstance(node, ast.Return):
            self.depends |= under or (node.value is not None and self._uses(node.value))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if under or (node.value is not None and self._uses(node.value)) or any(map(self._uses_index, targets)):
                self.tainted.update(name for target in targets for name in _names(target))
        elif isinstance(node, ast.If | ast.While):
            inner = under or self._uses(node.test)
            self.block(node.body, under=inner)
            self.block(node.orelse, under=inner)
        elif isinstance(node, ast.For):
            if under or self._uses(node.iter):
                self.tainted.update(_names(node.target))
            inner = under or self._uses(node.iter)
            self.block([*node.body, *node.orelse], under=inner)
        elif isinstance(node, ast.Expr):
            # A call with something of a parameter in it may change whatever it is called on, or on.
            if under or self._uses(node.value):
                self.tainted.update(_names(node.value))
        elif isinstance(node, ast.Try):
            # Which handler runs may depend on what was tried.
            tried = any(self._uses(child) for part in node.body for child in _expressions(part))
            self.block([*node.body, *node.orelse, *node.finalbody], under=under)
            for handler in node.handlers:
                self.block(handler.body, under=under or tried)
        elif isinstance(
            node, ast.Raise | ast.Assert | ast.Pass | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal
        ):
            pass
        elif isinstance(node, ast.FunctionDef):
            if any(self._uses(child) for child in _expressions(node)):
                self.tainted.add(node.name)
        else:  # with, match, delete, class, break, continue: read as a whole
            if any(self._uses(child) for child in _expressions(node)):
                self.tainted.update(name for child in _expressions(node) for name in _names(child))
                self.depends |= any(isinstance(child, ast.Return) for child in ast.walk(node))

    def _uses(self, node: ast.AST) -> bool:
        return any(
            isinstance(child, ast.Name)
            and (child.id in self.tainted or child.id in ("locals", "vars", "globals", "eval", "exec"))
            for child in ast.walk(node)
        )

    def _uses_index(self, target: ast.expr) -> bool:
        return isinstance(target, ast.Subscript) and self._uses(target.slice)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    return (child for child in ast.walk(node) if isinstance(child, ast.expr))


def _names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
