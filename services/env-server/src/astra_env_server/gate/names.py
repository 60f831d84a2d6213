"""What a tool's code speaks of, by its full name: read from its syntax, aliases of imports resolved."""

import ast
from collections.abc import Iterable, Iterator, Sequence


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def aliases(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Names that imports give, to the full names of what they mean."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


def imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Modules that are imported, and what is taken out of them."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{a.name}" for a in node.names)


def mentioned(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Every name and every chain of attributes: ``d.date.today`` after ``import datetime as d`` is itself in full."""
    known = aliases(nodes)
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute | ast.Call) and (name := dotted(node)):
            first, _, rest = name.partition(".")
            yield f"{known.get(first, first)}.{rest}".rstrip("."), node


def dotted(node: ast.expr) -> str | None:
    """``a.b.c``, also where it is written ``getattr(a.b, "c")``; None for what is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr" and node.args[1:]:
        name, base = node.args[1], dotted(node.args[0])
        return f"{base}.{name.value!s}" if base and isinstance(name, ast.Constant) else None
    return None
