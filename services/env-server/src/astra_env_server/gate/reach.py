"""Checks of what code reaches for beside its arguments and its own data: the clock, chance, the machine, itself."""

import ast
from collections.abc import Iterator

from astra_proto.arenas import ArenaSpec, ArenaTool

from astra_env_server.gate.names import aliases, dotted, imported, mentioned, words
from astra_env_server.gate.trees import Tree, parsed

_CLOCKS = frozenset(
    f"{module}.{name}"
    for module, names in {
        "time": "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns "
        "thread_time clock_gettime clock_gettime_ns",
        "datetime": "datetime.now datetime.utcnow datetime.today date.today",
        "uuid": "uuid1 uuid4 getnode",
        "random": "SystemRandom",
    }.items()
    for name in names.split()
)
_CLOCKS_BY_DEFAULT = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2}
"""They ask for the time when they are given fewer arguments than this."""
_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})

_OUTSIDE = words(
    "os posix nt pathlib shutil tempfile glob fileinput subprocess multiprocessing pty fcntl mmap signal "
    "resource socket ssl select selectors socketserver ftplib smtplib poplib imaplib telnetlib nntplib xmlrpc "
    "webbrowser platform getpass pwd grp ctypes secrets sqlite3 dbm shelve urllib.request http.client "
    "http.server importlib runpy pkgutil zipimport imp code codeop inspect gc tracemalloc builtins pickle "
    "marshal site sysconfig atexit faulthandler antigravity"
)
_OUTSIDE_NAMES = frozenset(
    {"io.open", "io.FileIO", "io.open_code", "codecs.open", "types.FunctionType", "types.CodeType"}
)
_OUTSIDE_MODULES = words("sys os io builtins importlib inspect gc socket subprocess signal threading")
"""What other modules of the standard library hold of those: ``random._os``."""
_OF_SYS = frozenset({"sys", "sys.maxsize", "sys.float_info", "sys.float_info.epsilon", "sys.float_info.max"})
_BUILTINS = words(
    "eval exec compile __import__ open input breakpoint globals locals __builtins__ __loader__ __spec__ __file__"
)
_INNARDS = words(
    "__subclasses__ __globals__ __builtins__ __code__ __closure__ __bases__ __base__ __mro__ mro __loader__ "
    "__spec__ __import__ __getattribute__ __reduce__ __reduce_ex__ __self__ __func__ __wrapped__ f_back "
    "f_globals f_locals f_builtins gi_frame cr_frame tb_frame"
)


def clock(spec: ArenaSpec) -> list[str]:
    """No code asks for the time or for true randomness: tomorrow it would answer differently."""
    return [f"tool {tool.name!r}: {fault}" for tool, tree in _trees(spec) for fault in sorted(set(_clocks(tree)))]


def reach(spec: ArenaSpec) -> list[str]:
    """All code works on its arguments and its own data: no files, network, environment, nor code made of texts.

    That of distractors is let be: whatever one reaches for solves nothing, and the sandbox keeps it in.
    """
    own = {tool.name for tool in spec.tools}
    return [
        f"tool {tool.name!r}: {fault}"
        for tool, tree in _trees(spec)
        if tool.name in own
        for fault in sorted(set(_reached(tree)))
    ]


def _trees(spec: ArenaSpec) -> Iterator[tuple[ArenaTool, Tree]]:
    for tool in (*spec.tools, *spec.distractors):
        try:
            yield tool, parsed(tool.code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # told by the check of the code


def _clocks(tree: Tree) -> Iterator[str]:
    calls = {id(node.func): len(node.args) for node in tree.nodes if isinstance(node, ast.Call)}
    dated = any(name.split(".")[0] == "datetime" for name in imported(tree.nodes))
    for name in imported(tree.nodes):
        if name in _CLOCKS or name.split(".")[0] == "secrets":
            yield f"uses {name}"
    for name, node in mentioned(tree.nodes):
        if name in _CLOCKS or (name in _CLOCKS_BY_DEFAULT and calls.get(id(node), 9) < _CLOCKS_BY_DEFAULT[name]):
            yield f"calls {name}()" if id(node) in calls else f"uses {name}"
        elif name in ("random.Random", "Random") and calls.get(id(node)) == 0:
            yield f"calls {name}() without a seed"
    for call in (each for each in tree.nodes if isinstance(each, ast.Call)):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if dated and method in _CLOCK_METHODS:
            yield f"calls {method}()"


def _reached(tree: Tree) -> Iterator[str]:
    for name in imported(tree.nodes):
        parts = name.split(".")
        if parts[0] in _OUTSIDE or ".".join(parts[:2]) in _OUTSIDE:
            yield f"imports {parts[0]!r}: it may not reach outside"
        elif name in _OUTSIDE_NAMES or (parts[0] == "sys" and name not in _OF_SYS):
            yield f"imports {name!r}: it may not reach outside"
    for name, _ in mentioned(tree.nodes):
        if name in _BUILTINS:
            yield f"uses {name}: write out what is to be done"
        elif name in _OUTSIDE_NAMES or (name.split(".")[0] == "sys" and name not in _OF_SYS):
            yield f"uses {name}: it may not reach outside"
    modules = {name.split(".")[0] for name in aliases(tree.nodes)}
    for node in tree.nodes:
        if (
            isinstance(node, ast.Attribute)
            and node.attr.strip("_") in _OUTSIDE_MODULES
            and dotted(node.value) in modules
        ):
            yield f"uses {dotted(node)}: it may not reach outside"
        elif isinstance(node, ast.Attribute) and node.attr in _INNARDS:
            yield f"uses {node.attr}: write out what is to be done"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in _INNARDS - {"mro"}:
            yield f"speaks of {node.value}: write out what is to be done"
        elif _asks_for_attribute(node):
            yield "asks for an attribute by a name that is put together: write it out"


def _asks_for_attribute(node: ast.AST) -> bool:
    """``getattr(x, "a" + "b")``."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or len(node.args) < 2:
        return False
    return node.func.id in ("getattr", "setattr") and not isinstance(node.args[1], ast.Constant | ast.Name)
