"""Arguments that a tool's own code knows: values that stand in its tables beside the golden ones."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import zip_longest
from typing import Any

from pydantic import JsonValue

from astra_env_server.gate.sampling import Arguments
from astra_env_server.gate.trees import parsed
from astra_env_server.scoring.folding import fold

Scalar = str | int | float | bool
Row = tuple[Scalar, ...]
Spelt = tuple[type, Scalar]
"""A value as it is compared: by type, a text folded."""

_MOST_NODES = 50_000
_MOST_ROWS = 400
_MOST_LOOSE = 12


class Literals:
    """The tables and the loose values of a tool's code."""

    def __init__(self, code: str) -> None:
        nodes = parsed(code).nodes[: _MOST_NODES + 1]
        self._groups: list[list[Row]] = []
        self._loose: list[Scalar] = []
        for node in nodes:
            if (rows := _rows(node)) is not None:
                self._groups.append(rows[:_MOST_ROWS])
            elif isinstance(node, ast.Compare):
                self._loose += [value for part in (node.left, *node.comparators) for value in _flat(part)]
            elif isinstance(node, ast.MatchValue):
                self._loose += _flat(node.value)

    def keyed(self, golden: Mapping[str, JsonValue]) -> set[str]:
        """The names of golden arguments whose values stand in the tables of the code."""
        scalars = {name: value for name, value in golden.items() if isinstance(value, str | int | float)}
        return {
            name for name, value in scalars.items() if (fold(value) if isinstance(value, str) else value) in self._cells
        }

    @cached_property
    def _cells(self) -> set[Scalar]:
        return {cell for rows in self._spelt for row in rows for _, cell in row}

    @cached_property
    def _spelt(self) -> list[list[tuple[Spelt, ...]]]:
        """The groups as they are compared: a text is folded once, however often it is looked for."""
        return [[tuple(map(_spell, row)) for row in rows] for rows in self._groups]

    def compared(self, golden: Mapping[str, JsonValue]) -> set[str]:
        """The names of golden arguments whose values the code compares something with."""
        return {name for name, value in golden.items() if any(same(value, other) for other in self._loose)}

    def rows_of(self, kinds: Sequence[str | None]) -> Iterator[Row]:
        """For each row of the tables the first cells that are of these types (names of JSON Schema), one each."""
        for rows in self._groups:
            for row in rows:
                left, found = list(row), []
                for kind in kinds:
                    fitting = next((cell for cell in left if _kind_of(cell) == kind or kind is None), None)
                    if fitting is None:
                        break
                    left.remove(fitting)
                    found.append(fitting)
                else:
                    if found:
                        yield tuple(found)

    def beside(self, golden: Arguments, parameters: Mapping[str, Any]) -> Iterator[Arguments]:
        """Other arguments that the code, or the schema, knows: first those that change most of the golden ones."""
        scalars = {name: value for name, value in golden.items() if isinstance(value, str | int | float)}
        wanted = {name: _spell(value) for name, value in scalars.items()}
        groups = zip(self._groups, self._spelt, strict=True)
        found = [(len(places), rows, own, places) for rows, spelt in groups for own, places in _holding(spelt, wanted)]
        found.sort(key=lambda each: -each[0])
        # One row of each table in turn, so that one large table does not use up all the tries.
        ways = [_neighbours(golden, rows, own, places) for _, rows, own, places in found]
        for turn in zip_longest(*ways):
            yield from (arguments for arguments in turn if arguments is not None)
        properties = parameters.get("properties", {})
        for name, value in golden.items():
            described = properties.get(name)
            described = described if isinstance(described, dict) else {}
            others = [*described.get("enum", []), *_list(described.get("examples"))]
            others += [other for other in self._loose[:_MOST_LOOSE] if _alike(other, value)]
            yield from ({**golden, name: other} for other in others if not same(other, value))


def same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values differ by spelling at most."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or fold(one) == fold(other)
    return type(one) is type(other) and one == other


def _spell(value: Scalar) -> Spelt:
    return type(value), fold(value) if isinstance(value, str) else value


def _rows(node: ast.AST) -> list[Row] | None:
    """The entries of a table, each with all that is in it; None if the node is no table."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return [(*_flat_or(key), *_flat(value)) for key, value in pairs]
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [tuple(_flat(element)) for element in node.elts]
    return None


def _flat(node: ast.expr) -> list[Scalar]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str | int | float) else []
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        return [-value] if isinstance(value, int | float) else []
    if isinstance(node, ast.Dict):
        return [s for key, value in zip(node.keys, node.values, strict=True) for s in (*_flat_or(key), *_flat(value))]
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [scalar for element in node.elts for scalar in _flat(element)]
    if isinstance(node, ast.Call):  # Decimal("0.35"), date(2024, 3, 1)
        return [scalar for part in node.args for scalar in _flat(part)]
    return []


def _flat_or(node: ast.expr | None) -> list[Scalar]:
    return _flat(node) if node is not None else []


def _holding(rows: list[tuple[Spelt, ...]], golden: Mapping[str, Spelt]) -> Iterator[tuple[int, dict[str, int]]]:
    """Rows that hold golden values, and the place of each: of a table, only the rows that hold the most."""
    found = [(index, _places(row, golden)) for index, row in enumerate(rows)]
    most = max((len(places) for _, places in found), default=0)
    return ((index, places) for index, places in found if most and len(places) == most)


def _places(row: tuple[Spelt, ...], golden: Mapping[str, Spelt]) -> dict[str, int]:
    places: dict[str, int] = {}
    for name, value in golden.items():
        for at, cell in enumerate(row):
            if cell == value and at not in places.values():
                places[name] = at
                break
    return places


def _neighbours(golden: Arguments, rows: list[Row], own: int, places: Mapping[str, int]) -> Iterator[Arguments]:
    """The golden arguments with the values of other rows in the place of its own."""
    for row in (*rows[own + 1 :], *rows[:own]):
        moved = {name: row[at] for name, at in places.items() if at < len(row) and _alike(row[at], golden[name])}
        if moved and any(not same(value, golden[name]) for name, value in moved.items()):
            yield {**golden, **moved}


def _alike(one: JsonValue, other: JsonValue) -> bool:
    numbers = (int, float)
    return type(one) is type(other) or (type(one) in numbers and type(other) in numbers)


def _kind_of(cell: Scalar) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return kinds[type(cell)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
