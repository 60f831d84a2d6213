"""Does an output hold an answer?"""

import datetime as dt
import json
from decimal import Decimal

import pytest
from astra_env_server.scoring.folding import number_from
from astra_env_server.scoring.matching import holds
from astra_proto.arenas import Answer
from hypothesis import given
from hypothesis import strategies as st

HELD = [
    (5, "5 apples"), (5, "total: 5."), (5, '{"n": 5}'), (5, '{"n": "5"}'), (5, "5%"), (5, "(5)"), (5, "#5"),
    (5, "价格5元"), (5, "５"), (5, "5.0"), (5, '"{\\"v\\": 5}"'), (1, "1,2,3"), (3, "1,2,3"), ("5", "5"),
    (1234.5, "$1,234.50"), (1234567, "1,234,567 people"), ("1,234", "1234"), (0.3, "0.30000000000000004"),
    (-5, "it is −5 °C"), (-5, "-$5"), (-5, '{"t": -5}'), (1500, "1.5e3"), (10**30, str(10**30)),
    ("Paris", "the city of PARIS."), ("New York", "new  york-based"), ("Café", "CAFÉ"), ("北京", "在北京市"),
    ("Ann", "Hannah, Ann"), ("5 km", "15 km or 5 km"), ("ﬁne", "fine"),
    ("5", '{"n": 5}'), ("007", "agent 007"), ("ORD-17", "ORD-17: shipped"),
    ("U.S.", "in the U.S. today"),
    ("5 km", "it is 5 km."),
    ("it's", "it’s late"), ("2024-05-01", "on 2024-05-01."), ("a", '["b", "a"]'), ("Paris", '{"in": {"x": "Paris"}}'),
    (True, "true"), (True, '{"ok": true}'), (False, "False"), (True, '{"ok": "True"}'),
    ([1, 2], "[2, 1]"), ([1, 2], '{"ids": [1, 2], "all": [1, 2, 3]}'), (["Paris", "Rome"], "Rome and Paris"),
    (["Paris", "Rome"], '[{"city": "Rome", "n": 3}, {"city": "Paris", "n": 2}]'), ([1, 2], '{"a": 1, "b": 2}'),
    ([[1, 2], [3]], "[[3], [2, 1]]"), (["ab", "ab c"], '["ab c", "ab"]'),
    ({"a": 1, "b": "x"}, '{"r": {"a": 1, "b": "X", "c": 3}}'), ({"a": 1}, '[{"a": 2}, {"a": 1}]'),
    ({"a": 1, "b": "x"}, "x costs 1"), ({"when": {"day": 3}}, '{"when": {"day": 3, "month": 5}}'),
    ("2024-03-01", "on March 1, 2024."), ("March 1, 2024", '{"day": "2024-03-01"}'), ("1 Mar 2024", "2024/3/1"),
    ("2024-03-01", "1st of March 2024"), ("2024-03-01", "2024-03-01T10:30:00Z"), ("2024年3月1日", "2024-03-01"),
    ("2024-03-01", "日期：2024年03月01日"), ("2024-03-01", "２０２４－０３－０１"),
    ("Sept. 9, 2024", "9 September 2024"),
    (["2024-03-01", "2024-03-02"], '["Mar 2, 2024", "Mar 1, 2024"]'), ("2024-03-01", "from 2024-03-01, at noon"),
    ("3 kg", "3kg"), ("3 kg", "it weighs 3.0 KG."), ("1,000 km", "1000 km"), ("５ ｋｍ", "5km"), ("20 °C", "20°C"),
    ("5%", "5 %"), ("$1,200", "costs $1200.00"), ("$1,200", '{"price": "$1,200.00"}'), ("EUR 4.20", "4.2 EUR"),
    ("-5 °C", "−5 °C"), ("80 km/h", "80km/h"), ("20 m2", "20 m2"), ("20 m²", "20m²"), ("-$5", "-$5.00"),
    ("€5", "5 €"),
    ("A-", "A-, or O-"), ("A-", "型A-的"), ("/home/", '{"at": "/home/"}'), ("-C", "L97-C, or -C"), ("5/-", "5/-."),
]  # fmt: skip

NOT_HELD = [
    (5, "15 apples"), (5, "5.2"), (5, "0.5"), (5, '{"5": 1}'), (5, "2024-05-05"), (5, "10:05"), (5, "5:30"), (5, "-5"),
    (5, "3-5"), (5, "5-7"), (5, "A-5"), (5, "v5"), (5, "5th"), (5, "5km"), (5, "5/10"), (5, "1.2.5"), (5, "5²"),
    (5, "x_5"),
    (5, "5,200"), (5, "½5"), (102, "10²"), (5, "[15, 25]"), (5, "true"), (1, "true"), (1234, "12,34"), (56, "1.234,56"),
    (-5, "5"), (10**30, str(10**30 + 1)), (0.3, "0.31"), (7, "007"), (5, "1e5"), (5, "NaN"), (5, ""),
    ("Ann", "Hannah"), ("Ann", "ann_b"), ("007", "7"), ("007", "1007"), ("5 km", "15 km"), ("5 km", "0.5 km"),
    ("5 km", "-5 km"), ("5 km", "1,5 km"), ("30 am", "10:30 am"), ("ORD-17", "ORD-171"), ("name", '{"name": "x"}'),
    (True, "1"), (True, '{"ok": false}'), (True, "untrue"), (False, "0"),
    ([1, 2], "[1, 2, 3]"), ([1, 2], "[1]"), ([1, 1], "[1, 2]"), (["Paris", "Rome"], "Paris"), ([1, 2], "[12]"),
    ({"a": 1, "b": "x"}, '{"a": 2, "b": "x"}'), ({"a": 1, "b": "x"}, '[{"a": 1}, {"b": "x"}]'), ({"a": 1}, '{"b": 1}'),
    ("2024-03-01", "2024-03-11"), ("2024-03-01", "2024-03-010"), ("2024-03-01", "12024-03-01"),
    ("2024-03-01", "03/01/2024"), ("2024-03-01", "March 1"), ("2024-03-01", "January 3, 2024"),
    ("2024-03-01", "2024-02-31"), ("March 1, 2024", "March 11, 2024"), ("March 1, 2024", "Mar 1, 20245"),
    ("2024-03-01", "v2024-03-01"), ("2024-03-01", "2024-03-01-7"), ("March 1, 2024", "20240301"),
    ("3 kg", "3 g"), ("3 g", "3 kg"), ("3 kg", "13 kg"), ("3 kg", "3 kgs"), ("3 kg", "0.3 kg"), ("3 kg", "-3 kg"),
    ("3 kg", "3"), ("3 kg", "3 and kg"), ("3 kg", "2-3 kg"), ("3 m", "3 m/s"), ("3 m", "3 m²"), ("$5", "€5"),
    ("$5", "$50"),
    ("$5", "$5.50"), ("$5", "-$5"), ("5%", "15%"), ("5%", "5"), ("1 km", "1000 m"), ("EUR 4.20", "USD 4.20"),
    ("5", "15"),
    ("L97-", "L97-C"), ("-C", "L97-C"), ("L97-", '{"line": "l97-4"}'), ("/home/", "/home/ann"), ("/b", "a/b"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "output"), HELD)
def test_held(value: object, output: str) -> None:
    assert holds(Answer(value=value), output)


@pytest.mark.parametrize(("value", "output"), NOT_HELD)
def test_not_held(value: object, output: str) -> None:
    assert not holds(Answer(value=value), output)


def test_tolerance_is_absolute_and_for_numbers_only() -> None:
    assert holds(Answer(value=4.2, tolerance=0.05), "4.25")
    assert not holds(Answer(value=4.2, tolerance=0.04), "4.25")
    assert holds(Answer(value=[4.2, 1], tolerance=0.05), "[1, 4.25]")
    assert not holds(Answer(value=True, tolerance=1), "0")
    assert holds(Answer(value="4.2 kg", tolerance=0.05), "4.25kg")
    assert not holds(Answer(value="4.2 kg", tolerance=0.04), "4.25 kg")


@pytest.mark.parametrize(
    "output", ["[" * 5_000, "9" * 10_000, "1" * 5_000 + "e999", '{"a": 1e99999999}', "\ud800", "{"]
)
def test_a_hostile_output_holds_nothing_and_does_no_harm(output: str) -> None:
    for value in (5, 2.5, "x y", True, [5, 6], {"a": 5}):
        assert not holds(Answer(value=value, tolerance=1e-6), output)


def test_long_outputs_are_read_in_time_that_grows_with_them() -> None:
    text = "a" * 1_000_000 + " " + "1," * 300_000
    assert not holds(Answer(value="a" * 1_900), text)
    assert not holds(Answer(value=5), text)


words = st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x24F), min_size=1, max_size=8)
numbers = st.integers(-(10**12), 10**12) | st.decimals(-(10**6), 10**6, places=3).map(float)
scalars = words | numbers | st.booleans()


@given(scalars)
def test_a_value_is_in_its_own_json(value: object) -> None:
    assert holds(Answer(value=value), json.dumps({"result": [value]}))


@given(st.integers(0, 10**9), st.integers(1, 9))
def test_a_number_is_not_in_a_longer_one(number: int, digit: int) -> None:
    assert not holds(Answer(value=number), f"{digit}{number}")
    assert not holds(Answer(value=number), f"{number}{digit}")
    assert not holds(Answer(value=number), f"{number}.{digit}")


@given(numbers.filter(lambda n: abs(n) >= 1_000))
def test_thousands_separators_are_read(number: float) -> None:
    assert holds(Answer(value=number), f"it is {Decimal(repr(number)):,} in all")


@given(st.lists(scalars, min_size=1, max_size=6), st.randoms())
def test_a_list_is_held_in_any_order_and_not_when_longer(values: list[object], rng: object) -> None:
    shuffled = sorted(values, key=lambda _: rng.random())  # type: ignore[attr-defined]
    assert holds(Answer(value=values), json.dumps(shuffled))
    assert not holds(Answer(value=values), json.dumps([shuffled, [*shuffled, None]][1:]))


days = st.dates(dt.date(1000, 1, 1))
ways = st.sampled_from(["%Y-%m-%d", "%B {d}, %Y", "%b {d} %Y", "{d} %B %Y", "{d} %b. %Y", "%Y/%m/%d", "%Y年%m月%d日"])


def written(day: dt.date, way: str) -> str:
    return day.strftime(way.replace("%Y", f"{day.year:04}")).format(d=day.day)


@given(days, days, ways, ways)
def test_a_day_is_itself_in_whatever_way_and_no_other(day: dt.date, other: dt.date, one: str, two: str) -> None:
    for text in (written(day, two), f"On {written(day, two)}.", json.dumps({"at": [written(day, two)]})):
        assert holds(Answer(value=written(day, one)), text)
    assert holds(Answer(value=written(day, one)), f"on {written(other, two)}") is (day == other)


units = st.sampled_from(["kg", "g", "km", "m", "km/h", "%", "°C", "m²", "apples", "EUR", "$"])


@given(st.decimals(0, 10**6, places=2), st.decimals(0, 10**6, places=2), units, units)
def test_a_quantity_is_its_number_and_its_unit(number: Decimal, other: Decimal, one: str, two: str) -> None:
    answer = Answer(value=f"{number} {one}")
    assert holds(answer, f"in all {number:,}{one}")
    assert holds(answer, f"{number.normalize():f} {one.upper()}, no more")
    assert holds(answer, f"it is {other} {two}.") is (number == other and one == two)


@given(words)
def test_width_and_case_do_not_matter(word: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word)
    if number_from(word) is None:
        assert holds(Answer(value=word), wide.upper()) or word.upper().casefold() != word.casefold()
