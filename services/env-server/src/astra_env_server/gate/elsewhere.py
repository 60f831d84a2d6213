"""The golden call in another place: at another time, with other chance, with sets in another order.

What the environment gives beside the arguments must not matter, so a golden call has to answer the same there. It is
made by a twin of the tool, whose module is executed anew in a session of its own after the clock and chance of that
session have been replaced; the sets that its code makes iterate from the smallest member up, or from the largest down.
"""

import ast
import json
from collections.abc import Iterable

from astra_proto.arenas import ArenaTool
from astra_service.syntax import parse

from astra_env_server.gate.trees import parsed

NAME = "astra_elsewhere"
"""The function that calls a twin: ``(place, tool, arguments)``, after the state where there is one."""

HERE, EARLY, LATE = 0, 1, 2
"""Places. Here nothing is replaced: that shows whether it is the place that matters, or the twin."""

_TWINS = """
import random as _random
import time as _time

_SOURCES = {sources}
_MOMENTS = (0.0, 86_400.0 * 200, 7_000_000_000.0)
_REAL = {{name: getattr(_time, name) for name in ("gmtime", "localtime", "ctime", "asctime", "strftime")}}
_loaded = {{}}


class _Chance(_random.Random):
    def __init__(self, seed, place):
        super().__init__(seed)
        self._first = (None, 0.0, 1 - 2**-53)[place]

    def random(self):
        first, self._first = self._first, None
        return super().random() if first is None else first

    def getrandbits(self, k):  # else the other methods would ask random(), and use up the first
        return super().getrandbits(k)


def _replace_chance(place):
    held = [_Chance(place, place)]

    def through(name):
        return lambda *args, **kwargs: getattr(held[0], name)(*args, **kwargs)

    def seed(a=None, version=2):
        held[0] = _random.Random(place if a is None else a)

    for name in dir(held[0]):
        if not name.startswith("_") and name != "seed" and hasattr(_random, name) and callable(getattr(held[0], name)):
            setattr(_random, name, through(name))
    _random.seed = seed


def _replace_clock(moment):
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(_time, name, lambda: moment)
        setattr(_time, name + "_ns", lambda: int(moment) * 10**9)
    for name in ("gmtime", "localtime", "ctime"):
        setattr(_time, name, lambda seconds=None, real=_REAL[name]: real(moment if seconds is None else seconds))
    _time.asctime = lambda t=None: _REAL["asctime"](_REAL["gmtime"](moment) if t is None else t)
    _time.strftime = lambda form, t=None: _REAL["strftime"](form, _REAL["gmtime"](moment) if t is None else t)
    _time.sleep = lambda seconds: None


class _AnySet(type):
    def __instancecheck__(cls, value):
        return isinstance(value, cls.__mro__[1])


def _sets(backwards):
    def ordered(items):
        try:
            return sorted(items, reverse=backwards)
        except TypeError:
            return sorted(items, key=repr, reverse=backwards)

    def made(kind):
        def again(name):
            real = getattr(kind, name)

            def method(self, *others):
                found = real(self, *others)
                return found if found is NotImplemented else cls(found)

            return method

        body = {{
            "__iter__": lambda self: iter(ordered(kind.__iter__(self))),
            "__repr__": lambda self: ("{{" + ", ".join(map(repr, self)) + "}}") if len(self) else kind.__name__ + "()",
        }}
        for name in (
            "__or__ __and__ __sub__ __xor__ __ror__ __rand__ __rsub__ __rxor__ union intersection difference "
            "symmetric_difference copy"
        ).split():
            body[name] = again(name)
        if kind is set:
            def pop(self):
                for first in self:
                    self.discard(first)
                    return first
                raise KeyError("pop from an empty set")

            body["pop"] = pop
        cls = _AnySet(kind.__name__, (kind,), body)
        return cls

    return made(set), made(frozenset)


def _module(place, tool):
    if (place, tool) not in _loaded:
        names = {{"__name__": "arena_tools." + tool}}
        if place:
            names["set"], names["frozenset"] = _sets(place == 2)
            # Of other values in another order, too: what is sorted by them comes the other way round.
            names["hash"] = lambda value: hash(value) if isinstance(value, (int, float)) else -hash(value) // 3 - place
            names["id"] = lambda value: id(value) + 64 * place
            _replace_clock(_MOMENTS[place])
            _replace_chance(place)
            names["_astra_set"] = names["set"]
        exec(compile(_SOURCES[tool][place > 0], "<" + tool + ">", "exec", dont_inherit=True), names)
        _loaded[place, tool] = names[tool]
    return _loaded[place, tool]


def {name}({state}place, tool, arguments):
    return _module(place, tool)({state}**arguments)
"""


def twins(tools: Iterable[ArenaTool], *, stateful: bool) -> str:
    """The module that has the twins of these tools. Raises what parsing raises."""
    sources = {tool.name: [tool.code, _with_own_sets(tool.code)] for tool in tools}
    state = "state, " if stateful else ""
    return _TWINS.format(sources=json.dumps(sources), name=NAME, state=state)


def _with_own_sets(code: str) -> str:
    if not any(isinstance(node, ast.Set | ast.SetComp) for node in parsed(code).nodes):
        return code
    return ast.unparse(ast.fix_missing_locations(_Sets().visit(parse(code))))


class _Sets(ast.NodeTransformer):
    """Sets that are written out are made by a name."""

    def visit_Set(self, node: ast.Set) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("_astra_set", ast.Load()), [ast.List(node.elts, ast.Load())], [])

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("_astra_set", ast.Load()), [ast.ListComp(node.elt, node.generators)], [])
