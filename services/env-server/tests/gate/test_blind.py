"""An argument that many values may stand for: where it is honest, and where the arena could be guessed."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

HOTELS = """HOTELS = [
    ("Rome", "Aurora", 118, 4), ("Rome", "Borghese", 174, 5), ("Rome", "Campo", 231, 5),
    ("Oslo", "Fjord", 139, 4), ("Oslo", "Nansen", 205, 3), ("Bern", "Aare", 164, 4), ("Bern", "Gurten", 97, 2),
]


def find_hotel(city, {argument}):
    found = [(price, name) for place, name, price, stars in HOTELS if place == city and {test}]
    if not found:
        raise ValueError("there is none")
    return {{"hotel": {best}(found)[1]}}
"""
RATES = """RATES = {{"standard": 35, "express": 80, "fragile": 55, "bulky": 120}}


def get_charge(kind, weight):
    {line}
    if kind not in RATES:
        raise ValueError("no such kind")
    return {{"cents": RATES[kind] * {per} + 19}}
"""


async def judged(server: Any, spec: Json) -> list[str]:
    report = (await server.post("/arenas/check", json=spec)).json()
    return [check["name"] for check in report["checks"] if not check["passed"]]


@pytest.mark.parametrize(("argument", "value", "test", "best", "answer"), [
    ("max_price", 230, "price <= max_price", "max", "Borghese"),
    ("max_price", 250, "price < max_price", "max", "Campo"),
    ("min_stars", 4, "stars >= min_stars", "min", "Aurora"), ("least", 130, "price > least", "min", "Borghese"),
])  # fmt: skip
async def test_a_limit_is_honest_though_many_values_keep_it(
    server: Any, make_arena: Callable[..., Json], argument: str, value: int, test: str, best: str, answer: str
) -> None:
    code = HOTELS.format(argument=argument, test=test, best=best)
    spec = make_arena(code, {"city": "Rome", argument: value}, answer)
    assert await judged(server, spec | {"prompt": f"Which hotel in Rome, with {argument} of {value}?"}) == []


@pytest.mark.parametrize(("line", "per", "refused"), [
    ("pass", "weight", []),
    ("weight = -(-weight // 5)", "weight", []),
    ("weight = 730 if weight % 2 == 0 else weight", "weight", ["arguments"]),
    ("weight = 730 if len(str(weight)) >= 3 else weight", "weight", ["arguments"]),
    ("weight = 730 if weight > 0 and weight % 3 != 2 else weight", "weight", ["arguments"]),
    ("kind = 'fragile' if len(kind) > 8 else kind", "weight", ["arguments"]),
])  # fmt: skip
async def test_a_number_that_the_code_makes_the_golden_one_is_seen(
    server: Any, make_arena: Callable[..., Json], line: str, per: str, refused: list[str]
) -> None:
    answer = 55 * (146 if "5)" in line else 730) + 19
    spec = make_arena(RATES.format(line=line, per=per), {"kind": "fragile", "weight": 730}, answer)
    assert await judged(server, spec | {"prompt": "What do 730 grams cost, fragile?"}) == refused
