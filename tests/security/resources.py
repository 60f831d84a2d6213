"""Group C of the list: time, memory, processes, files, output. Each attempt ends in a typed failure, in time."""

import asyncio

from astra_proto.envs import ErrorClass

from tests.security.probe import SHORT_S, Field, Probe, Verdict, arena, fails_as, function, gives, probes

TOOL, TIMEOUT = ErrorClass.TOOL, ErrorClass.TIMEOUT

ENDLESS = {
    "loop": "while True: pass",
    "sleep": "import time\ntime.sleep(999)",
}
STUBBORN = {
    "swallows_everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "ignores_signals": (
        "import signal\nfor s in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT):\n"
        "    signal.signal(s, signal.SIG_IGN)\nwhile True: pass"
    ),
    "sleeping_message": "raise type('Slow', (Exception,), {'__str__': lambda s: __import__('time').sleep(999)})",
}
MEMORY = {
    "memory_bomb": "return len(bytearray(1500 << 20))",
    "list_bomb": "return len([bytearray(1 << 24) for _ in range(999)])",
    "string_bomb": "return len('a' * 10**10)",
    "doubling": "s = 'x'\nwhile True: s += s",
}
PROCESSES = {
    "fork_bomb": "import os\nfor _ in range(400): os.fork()",
    "thread_bomb": "from threading import Thread\nfor _ in range(400): Thread(target=print).start()",
    "daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\n    __import__('time').sleep(99)",
    "pool": "import multiprocessing\nreturn multiprocessing.Pool(4).map(abs, [1])",
}
DISK = {
    "fill_tmp": "open('/tmp/fill', 'wb').write(bytes(1 << 26))",
    "fill_shm": "open('/dev/shm/fill', 'wb').write(bytes(1 << 28))",
    "inodes": "for i in range(10**6): open(f'/tmp/{i}', 'w').close()",
    "truncate_up": "import os\nos.truncate(os.__file__, 1 << 40)",
}
DESCRIPTORS = {
    "descriptors": "held = []\nwhile True: held.append(open('/dev/null'))",
    "duplicates": "import os\nwhile True: os.dup(0)",
    "pipes": "import os\nheld = []\nwhile True: held.append(os.pipe())",
}
OUTPUT = {
    "giant_result": "return 'x' * 100_000_000",
    "giant_list": "return ['x' * 1000] * 100_000",
    "giant_message": "raise ValueError('x' * 100_000_000)",
}
FLOODS = {
    "log_lines": "import sys\nfor i in range(10**6): sys.stdout.write('line\\n')\nreturn 'quiet'",
    "stderr_flood": "import os\nfor _ in range(2000): os.write(2, b'x' * 65536)\nreturn 'quiet'",
}
CPU = {
    "regular_expression": "import re\nreturn bool(re.match(r'(a+)+$', 'a' * 40 + 'b'))",
    "evil_order": (
        "class Evil:\n    def __lt__(self, other):\n        while True: pass\nreturn sorted([Evil(), Evil()])"
    ),
    "hash_collisions": (
        "class Same:\n    def __hash__(self): return 1\n    def __eq__(self, other): return False\n"
        "return len({Same(): 1 for _ in range(10**6)})"
    ),
    "big_power": "return len(bin(3 ** (3 ** 24)))",
}
DEEP = {
    "recursion": "def f(): return f()\nreturn f()",
    "no_recursion_limit": "import sys\nsys.setrecursionlimit(10**7)\ndef f(n): return f(n + 1) + 1\nreturn f(0)",
    "nested_repr": "x = []\nfor _ in range(10**5): x = [x]\nreturn repr(x)",
    "deep_json": "import json\nreturn json.loads('[' * 10**5)",
    "deep_result": "x = 1\nfor _ in range(10**5): x = [x]\nreturn x",
    "deep_compile": "return eval('(' * 10**5)",
    "own_bytecode": (
        "def f(): pass\nf.__code__ = f.__code__.replace(co_code=bytes([100, 255] * 50), co_stacksize=0)\nf()\n"
        "raise ValueError('survived')"
    ),
}


async def _slow_leak(ground: Field) -> Verdict:
    """More memory at each step: the session runs out of it and nobody else does."""
    session = await ground.sandbox.open(_LEAK, 0)
    try:
        for _ in range(200):
            outcome = await session.call("leak", {}, 20.0)
            if not outcome.ok:
                return fails_as(TOOL, told="MemoryError")(outcome)
        return Verdict(False, "3.2 GB kept over 200 steps")
    finally:
        await session.close()


_LEAK = arena(function("leak", "import sys\nsys.modules.setdefault('kept', []).append(bytearray(1 << 24))", takes=""))


async def _many_sessions(ground: Field) -> Verdict:
    """A hundred sessions that all spin: the hundred and first is served."""
    bundle = arena(function("spin", "while True: pass", takes=""), function("fine", "return 'fine'", takes=""))
    sessions = [await ground.sandbox.open(bundle, i) for i in range(100)]
    calls = [asyncio.create_task(s.call("spin", {}, 3.0)) for s in sessions]
    served = await ground.once(bundle, "fine", 20.0)
    outcomes = await asyncio.gather(*calls)
    timed_out = sum(o.error_class is TIMEOUT for o in outcomes)
    await asyncio.gather(*(s.close() for s in sessions))
    return Verdict(served.output == "fine" and timed_out == 100, f"{timed_out} of 100 killed; then {served.output!r}")


def resources() -> list[Probe]:
    """The probes of lines 17 to 25."""
    refused = fails_as(TOOL)
    return [
        *probes(17, fails_as(TIMEOUT), ENDLESS, SHORT_S),
        Probe("many_spin", 17, _many_sessions),
        *probes(18, fails_as(TIMEOUT), STUBBORN, SHORT_S),
        *probes(19, fails_as(TOOL, told="MemoryError"), MEMORY),
        Probe("slow_leak", 19, _slow_leak, _LEAK),
        *probes(20, refused, PROCESSES),
        *probes(21, refused, DISK),
        *probes(22, refused, DESCRIPTORS),
        *probes(23, refused, OUTPUT),
        *probes(23, gives("quiet"), FLOODS),
        *probes(24, fails_as(TIMEOUT), CPU, SHORT_S),
        *probes(25, refused, DEEP),
    ]
