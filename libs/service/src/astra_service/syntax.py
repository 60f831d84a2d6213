"""Python code as a syntax tree, in any thread."""

import ast
import threading

_ONE_AT_A_TIME = threading.RLock()


def parse(code: str) -> ast.Module:
    """The tree of a module. Raises as ``ast.parse`` does: SyntaxError, ValueError, RecursionError, MemoryError.

    CPython 3.11 counts how deep it is in one place for all threads: where two parse at once and change over in the
    middle, it raises SystemError of a tree that is in order.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(code)  # noqa: TID251
