"""What is true in one drawing of a world: who and what there is, and the tables of its tools.

Every row of a table gives a value that no other row gives, so another argument never leads to the same answer.
"""

import random
from dataclasses import dataclass

from astra_synth_worker.teacher.words import names
from astra_synth_worker.teacher.world import Kind, Shape, Thing, World

Value = str | int
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and no O, which look like digits


@dataclass(frozen=True)
class Table:
    """A tool's own data."""

    rows: dict[tuple[Value, ...], Value]
    """Keys to the value; for a tariff, the key to its rate; empty for plain arithmetic."""
    losers: dict[tuple[Value, ...], tuple[Value, int, int]]
    """For the shapes ``best`` and ``least``: another row of the key, and the lower and the higher of the two ranks."""
    constants: tuple[int, int]

    @property
    def values(self) -> set[Value]:
        """All that stands behind a key: what the tool may be brought to tell."""
        return {*self.rows.values(), *(loser[0] for loser in self.losers.values())}


@dataclass(frozen=True)
class Facts:
    """One drawing of a world."""

    values: dict[str, tuple[Value, ...]]
    """Thing to the values there are of it."""
    tables: dict[str, Table]
    """Tool kind to its table."""

    def answer(self, kind: Kind, arguments: dict[str, Value]) -> Value:
        """What the tool returns. Raises KeyError for keys that are in no row."""
        table = self.tables[kind.name]
        values = [arguments[need] for need in kind.needs]
        first, second = table.constants
        match kind.shape:
            case Shape.LOOKUP | Shape.SEARCH | Shape.BEST | Shape.LEAST:
                return table.rows[tuple(values)]
            case Shape.TARIFF:
                return int(table.rows[(values[0],)]) * int(values[1]) + second
            case Shape.SCALE:
                return int(values[0]) * (int(values[1]) + first)
            case Shape.LINEAR:
                return int(values[0]) * first + second


def draw_facts(world: World, rng: random.Random, language: str = "en") -> Facts:
    """Draw names, codes, numbers and tables."""
    count = rng.randint(8, 12)
    values = {thing: _draw_values(spec, count, rng, language) for thing, spec in world.things.items()}
    return Facts(values=values, tables={kind.name: _draw_table(world, kind, values, rng) for kind in world.kinds})


def _draw_values(thing: Thing, count: int, rng: random.Random, language: str) -> tuple[Value, ...]:
    if thing.names:
        pool = names(language, thing.names)
        return tuple(rng.sample(pool, min(count, len(pool))))
    if thing.numbers is not None:
        low, high = thing.numbers
        return tuple(rng.sample(range(low, high + 1), min(count, high - low + 1)))
    codes: dict[Value, None] = {}
    while len(codes) < count:
        codes[_code(thing.code, rng)] = None
    return tuple(codes)


def _code(pattern: str, rng: random.Random) -> str:
    return "".join(rng.choice(_LETTERS) if c == "A" else rng.choice("123456789") if c == "0" else c for c in pattern)


def _draw_table(world: World, kind: Kind, values: dict[str, tuple[Value, ...]], rng: random.Random) -> Table:
    constants = (rng.randint(3, 59), rng.randint(101, 979))
    if kind.shape in (Shape.SCALE, Shape.LINEAR):
        return Table(rows={}, losers={}, constants=constants)
    keys = values[kind.needs[0]]
    if kind.shape is Shape.TARIFF:
        rates = rng.sample(range(11, 99), len(keys))
        return Table(rows={(key,): rate for key, rate in zip(keys, rates, strict=True)}, losers={}, constants=constants)
    results = _match(keys, values[kind.gives], rng) if kind.gives in kind.needs else _shuffled(values[kind.gives], rng)
    rows: dict[tuple[Value, ...], Value] = {}
    losers: dict[tuple[Value, ...], tuple[Value, int, int]] = {}
    for index, (key, result) in enumerate(zip(keys, results, strict=False)):
        row = (key, rng.choice(values[kind.needs[1]])) if kind.shape is Shape.SEARCH else (key,)
        rows[row] = result
        if kind.shape in (Shape.BEST, Shape.LEAST):
            low = rng.randint(11, 59)
            losers[row] = (results[(index + 1) % len(results)], low, low + rng.randint(1, 40))
    return Table(rows=rows, losers=losers, constants=constants)


def _shuffled(values: tuple[Value, ...], rng: random.Random) -> list[Value]:
    return rng.sample(values, len(values))


def _match(keys: tuple[Value, ...], values: tuple[Value, ...], rng: random.Random) -> list[Value]:
    """One cycle through all: nothing leads to itself, and a walk comes back only after having seen everything."""
    order = _shuffled(values, rng)
    follows = dict(zip(order, [*order[1:], order[0]], strict=True))
    return [follows[key] for key in keys]
