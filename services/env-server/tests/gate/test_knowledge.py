"""What code knows beside the golden row, and what its mutants do."""

from typing import Any

import pytest
from astra_env_server.gate.knowledge import Said, other_answers, says_something
from astra_env_server.gate.literals import Literals
from astra_env_server.gate.mutants import mutate

TABLES = {
    "a table": ('T = {"Paris": 1, "Rome": 2}\ndef f(x): return T[x]', {"x": "Paris"}, [{"x": "Rome"}]),
    "other spelling": ('T = {"paris": 1, "rome": 2}\ndef f(x): return T[x.lower()]', {"x": "Paris"}, [{"x": "rome"}]),
    "rows": ('T = [("a", 1, 7), ("b", 2, 8)]\ndef f(x, n): return T', {"x": "a", "n": 1}, [{"x": "b", "n": 2}]),
    "keys of two": ('T = {("a", 1): 7, ("b", 2): 8}\ndef f(x, n): ...', {"x": "a", "n": 1}, [{"x": "b", "n": 2}]),
    "records": ('T = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]\ndef f(x): ...', {"x": "a"}, [{"x": "b"}]),
    "nested": ('T = {"a": {"mon": 1}, "b": {"tue": 2}}\ndef f(x, d): ...', {"x": "a", "d": "mon"},
               [{"x": "b", "d": "tue"}]),
    "comparisons": ('def f(x):\n if x == "a": return 1\n if x == "b": return 2', {"x": "a"}, [{"x": "b"}]),
    "a match": ('def f(x):\n match x:\n  case "a": return 1\n  case "b": return 2', {"x": "a"}, [{"x": "b"}]),
    "nothing": ("def f(x): return x", {"x": "a"}, []),
    "one row": ('def f(x):\n if x == "a": return 1', {"x": "a"}, []),
}  # fmt: skip


@pytest.mark.parametrize(("code", "golden", "wanted"), TABLES.values(), ids=TABLES)
def test_rows_beside_the_golden_one(code: str, golden: dict[str, Any], wanted: list[dict[str, Any]]) -> None:
    found = list(Literals(code).beside(golden, {}))
    assert [each for each in wanted if each not in found] == []
    assert golden not in found
    if not wanted:
        assert found == []


def test_enums_and_examples_are_known_too() -> None:
    schema = {"properties": {"x": {"enum": ["a", "b"]}, "n": {"examples": [1, 5]}}}
    assert list(Literals("def f(x, n): ...").beside({"x": "a", "n": 1}, schema)) == [
        {"x": "b", "n": 1},
        {"x": "a", "n": 5},
    ]


def said(output: str, **arguments: Any) -> Said:
    return Said(arguments, output)


GOLDEN = [said("8642", by=4321)]


def test_a_refusal_a_repetition_and_nothing_are_no_answers() -> None:
    def others(known: list[Said], foreign: list[Said], yes_or_no: bool = False) -> int:
        return other_answers(GOLDEN, known, foreign, yes_or_no=yes_or_no)

    assert others([], []) == 0
    assert others([said("77", by=1)], []) == 1
    assert others([said("8642", by=1)], []) == 0
    assert (
        others([said("null", by=1), said('{"error": "no 1"}', by=1), said('{"found": false, "v": 3}', by=1)], []) == 0
    )
    assert others([], [said("0", by=1), said("0", by=2)]) == 0
    assert others([said("0", by=3)], [said("nothing for 1", by=1), said("nothing for 2", by=2)]) == 1
    assert others([], [said("3", by=1), said("6", by=2)]) == 2
    assert others([], [said("0", by=1), said("0", by=2)], yes_or_no=True) == 1


def test_what_is_repeated_of_the_arguments_is_masked() -> None:
    assert said('{"city": "ROME", "n": 12}', city="Rome", n=1).masked == (
        said('{"city": "Oslo", "n": 12}', city="oslo", n=2).masked
    )
    assert said("12", n=1).masked == "12"


@pytest.mark.parametrize(("text", "says"), [("5", True), ("[]", False), ('{"a": null}', False), ("error: x", False)])
def test_whether_an_output_says_something(text: str, says: bool) -> None:
    assert says_something(text) is says


CODE = '''"""Doc."""
from __future__ import annotations
BASE = 10

def helper(n: int) -> int:
    return n * 3 if n > 2 else 0

def price(item: str, n: int = 1) -> dict:
    """Text stays."""
    if not isinstance(item, str) or n < 1:
        raise ValueError(f"bad {item!r} {1 + 1}")
    total = 0
    for _ in range(n):
        total += BASE
    if item == "a" and n != 7:
        return {"total": total + helper(n), "ids": [item[0]]}
    return {"total": 0}
'''


def run(mutant: int, **arguments: Any) -> Any:
    mutated = mutate("price", CODE)
    module: dict[str, Any] = {}
    exec(mutated.code, module)
    return module[mutated.name](mutant, arguments)


def test_without_a_mutant_the_code_does_what_it_did() -> None:
    assert run(10**6, item="a", n=4) == {"total": 52, "ids": ["a"]}
    with pytest.raises(ValueError, match="bad 'b' 2"):
        run(10**6, item="b", n=0)


def test_what_stands_in_a_formatted_text_is_mutated_and_is_written_as_it_was() -> None:
    code = 'def f(n, unit="kg"):\n    return f"{n * 2:>6.1f} {unit!r:{n}} {{x}} {n}"'
    mutated = mutate("f", code)
    module: dict[str, Any] = {}
    exec(mutated.code, module)
    arguments = {"n": 7}
    wanted = f"{7 * 2:>6.1f} {'kg'!r:7} {{x}} 7"
    assert module[mutated.name](10**6, arguments) == wanted
    reached = module[mutated.name](-1, arguments)["seen"]
    assert len(reached) >= 5
    assert all(module[mutated.name](number, arguments) != wanted for number in reached)


def test_cases_that_are_not_the_golden_one_leave_no_survivors() -> None:
    code = (
        "def f(by):\n" + "".join(f"    if by == {n}:\n        return {n * 7}\n" for n in range(5)) + "    return by * 2"
    )
    mutated = mutate("f", code)
    module: dict[str, Any] = {}
    exec(mutated.code, module)
    reached = module[mutated.name](-1, {"by": 4321})["seen"]
    assert len(reached) >= 7
    assert [n for n in reached if module[mutated.name](n, {"by": 4321}) == 8642] == []


def test_each_mutant_that_is_reached_is_one_change_and_most_are_seen() -> None:
    mutated = mutate("price", CODE)
    reached = run(-1, item="a", n=4)["seen"]
    assert set(reached) <= set(mutated.places)
    assert set(run(-1, item="b", n=4)["seen"]) < set(mutated.places)
    killed = 0
    for number in reached:
        try:
            killed += run(number, item="a", n=4) != {"total": 52, "ids": ["a"]}
        except Exception:
            killed += 1
    assert 0.7 * len(reached) <= killed < len(reached) + 1
    assert len(reached) >= 7
    told = " ".join(mutated.places.values())
    assert "item == 'a' turned round" in told
    assert "bad" not in told


@pytest.mark.parametrize(
    "code",
    [
        'def f(x):\n  return f\'{x["a"]!r:>{x + 1}} {{}} {x}\' + f"{x:.2f}"',
        "def f(x):\n  return [y for y in x if (z := y) > 1 and z != 3]",
        "def f(x):\n  return (lambda a, b=2: a[b:] + x)(x)",
        "class A:\n  n: int = 3\n  def get(self, x): return self.n + x\ndef f(x):\n  return A().get(x)",
        "def f(x):\n  match x:\n    case 1 | 2: return x\n    case {'k': v} if v > 1: return v\n  return f'{x + 1}'",
        "def f(*, x=1):\n  global T\n  T = x\n  del T\n  x += 1\n  a, *b = [x, x]\n  return {**{1: x}, 'a': a}",
        "async def g(): ...\ndef f(x):\n  try:\n    return x[0]\n  except KeyError as e:\n    return str(e)",
    ],
)
def test_any_python_is_still_python(code: str) -> None:
    compile(mutate("f", code).code, "f", "exec")
