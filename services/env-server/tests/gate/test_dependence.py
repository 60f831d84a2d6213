"""Does what a function returns depend on its parameters?"""

import ast

import pytest
from astra_env_server.gate.dependence import ignores_parameters

CONSTANT = {
    "plain": "return 42",
    "no return": "print(x)",
    "behind a guard": "if not x:\n  raise ValueError(x)\nreturn 42",
    "behind two guards": "if x is None:\n  raise ValueError\nelif len(x) > 5:\n  raise KeyError(x)\nreturn TABLE['a']",
    "an own variable": "y = 4\ny += 2\nreturn y",
    "a loop over a table": "t = 0\nfor row in TABLE:\n  t += row\nreturn t",
    "asserts": "assert x, 'needed'\nreturn {'a': 1}",
    "a check made elsewhere": "_check(x)\nreturn 42",
}

DEPENDS = {
    "plain": "return x",
    "an expression": "return {'v': x + 1}",
    "a lookup": "return TABLE[x]",
    "a helper": "return helper(x)",
    "an own variable": "y = x\nz = y + 1\nreturn z",
    "in pieces": "y, z = x\nreturn z",
    "later than it is used": "for _ in range(2):\n  y = z\n  z = x\nreturn y",
    "which branch": "if x == 1:\n  return 'a'\nreturn 'b'",
    "which value": "y = 'a'\nif x == 1:\n  y = 'b'\nreturn y",
    "a match": "match x:\n  case 1:\n    return 'a'\nreturn 'b'",
    "a search": "found = None\nfor row in TABLE:\n  if row == x:\n    found = row\n    break\nreturn found",
    "how often": "n = 0\nwhile x > n:\n  n += 1\nreturn n",
    "into a list": "rows = []\nfor row in TABLE:\n  if row == x:\n    rows.append(row)\nreturn rows",
    "into a record": "out = {}\nout['v'] = x\nreturn out",
    "by index": "out = {}\nout[x] = 1\nreturn out",
    "a try": "try:\n  int(x)\n  return 'number'\nexcept ValueError:\n  return 'text'",
    "a comprehension": "return [r for r in TABLE if r == x]",
    "a closure": "def inner():\n  return x\nreturn inner()",
    "a lambda": "f = lambda: x\nreturn f()",
    "with": "with open(x) as f:\n  return f.read()",
    "walrus": "if (y := x):\n  pass\nreturn y",
    "locals": "return locals()",
}


def function(body: str) -> ast.FunctionDef:
    indented = "\n".join("  " + line for line in body.splitlines())
    found = ast.parse(f"def f(x):\n{indented}\n").body[0]
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.mark.parametrize("body", CONSTANT.values(), ids=CONSTANT)
def test_ignores_its_parameter(body: str) -> None:
    assert ignores_parameters(function(body))


@pytest.mark.parametrize("body", DEPENDS.values(), ids=DEPENDS)
def test_depends_on_its_parameter(body: str) -> None:
    assert not ignores_parameters(function(body))
