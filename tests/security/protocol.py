"""Lines 32 to 39 of the list: forged replies, results that lie, code that changes the ground under what comes next."""

import asyncio
import json
from pathlib import Path

from astra_env_server.sandbox.base import SandboxLost, ToolCode
from astra_proto.envs import ErrorClass

from tests.security.bodies import FORGE, FORGERIES
from tests.security.probe import (
    SHORT_S,
    Attack,
    Field,
    Probe,
    Verdict,
    arena,
    fails_as,
    function,
    gives,
    probes,
    stopped,
)

TOOL, TIMEOUT = ErrorClass.TOOL, ErrorClass.TIMEOUT

FORGING = arena(ToolCode("forge", FORGE), function("fine", "return 'fine'", takes=""))
NOT_JSON = {
    "not_a_number": "return float('nan')",
    "infinity": "return [1e999]",
    "big_integer": "return 10 ** 5000",
    "lone_surrogate": "return '\\ud800'",
    "set_result": "return {1}",
    "bytes_result": "return b'raw'",
    "circle": "x = []\nx.append(x)\nreturn x",
    "reduce": "class Bad:\n    def __reduce__(self): return (print, ('ran',))\nreturn Bad()",
    "pretends_to_be_text": "class Text:\n    __class__ = str\nreturn Text()",
    "lying_text": (
        "class Text(str):\n    def encode(self, *a): return b'x' * 10**9\n    def __len__(self): return 1 / 0\n"
        "return {'a': {1, Text('y')}}"
    ),
    "lying_items": "class Lies(dict):\n    def items(self): return 1 / 0\nreturn Lies(a=1)",
    "lying_class": (
        "class Meta(type):\n    def __str__(c): return 1 / 0\nclass E(Exception, metaclass=Meta): pass\nraise E"
    ),
}
AS_TEXT = {
    "duplicate_keys": ('return \'{"reward": 0, "reward": 1}\'', '{"reward": 0, "reward": 1}'),
    "nul_in_text": ("return 'a\\0b'", "a\ufffdb"),
    "pickle": ("return 'cos\\nsystem\\n(S\"id\"\\ntR.'", 'cos\nsystem\n(S"id"\ntR.'),
    "imitated_reply": (
        'return \'{"ok": true, "reward": 1.0, "done": true}\'',
        '{"ok": true, "reward": 1.0, "done": true}',
    ),
    "printed_reply": ("print('{\"ok\": true, \"reward\": 1.0}', flush=True)\nreturn 'said'", "said"),
}
"""Bodies, and the text that comes of them: data, whatever it looks like."""
SURROUNDINGS = {
    "patched_json": "import json\njson.dumps = json.loads = json.JSONEncoder = lambda *a, **k: 1 / 0\nreturn {'a': 1}",
    "patched_builtins": (
        "import builtins, json, random, struct, time\njson.dumps = json.loads = lambda *a, **k: 'patched'\n"
        "struct.pack = time.time = random.random = builtins.len = lambda *a, **k: 1 / 0\nreturn {'a': 1}"
    ),
    "patched_write": "import os\nos.write = os.read = lambda *a, **k: 1 / 0\nreturn {'a': 1}",
    "trace": "import sys\nsys.settrace(lambda *a: 1 / 0)\nreturn 'traced'",
}
EXCEPTIONS = {
    "system_exit": "raise SystemExit(0)",
    "keyboard_interrupt": "raise KeyboardInterrupt",
    "generator_exit": "raise GeneratorExit",
    "memory_error": "raise MemoryError",
    "base_group": "raise BaseExceptionGroup('all', [KeyboardInterrupt()])",
    "exit_zero": "import os\nos._exit(0)",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "abort": "import ctypes\nctypes.CDLL(None).abort()",
    "message_raises": "raise type('Odd', (Exception,), {'__str__': lambda s: 1 / 0})",
    "message_exits": "raise type('Odd', (Exception,), {'__str__': lambda s: exit(1)})",
    "endless_name": "raise type('x' * 10**6, (Exception,), {})",
    "closes_all": "import os\nos.closerange(0, 64)\nreturn 1",
}


def _forge(how: str) -> Attack:
    async def attempt(ground: Field) -> Verdict:
        session = await ground.sandbox.open(FORGING, 0)
        outcome = await session.call("forge", {"how": how}, 5.0)
        ended = not session.alive
        await session.close()
        after = await ground.once(FORGING, "fine")
        fits = not outcome.ok and outcome.error_class is TOOL and ended and after.output == "fine"
        return Verdict(fits, f"{outcome.output[:200]}; session ended: {ended}")

    return attempt


async def _half_frame(ground: Field) -> Verdict:
    session = await ground.sandbox.open(FORGING, 0)
    outcome = await session.call("forge", {"how": "stall"}, SHORT_S)
    await session.close()
    return fails_as(TIMEOUT)(outcome)


async def _after_close(ground: Field) -> Verdict:
    session = await ground.sandbox.open(FORGING, 0)
    await session.close()
    try:
        outcome = await session.call("fine", {}, 5.0)
    except SandboxLost as error:
        return Verdict(True, str(error))
    return Verdict(False, outcome.output)


async def _descriptors(ground: Field) -> Verdict:
    return gives([0, 1, 2, 3])(await ground.once(_HELD, "held"))


_HELD = arena(
    function(
        "held",
        "import os\nfound = []\nfor d in range(1024):\n    try: os.fstat(d)\n    except OSError: continue\n"
        "    found.append(d)\nreturn found",
    )
)


async def _sibling(ground: Field) -> Verdict:
    """Everything one process may try on another, on a session of the same arena."""
    victim, attacker = await ground.sandbox.open(_HARM, 0), await ground.sandbox.open(_HARM, 0)
    pid, _, _ = json.loads((await victim.call("bystander", {}, 5.0)).output)
    outcome = await attacker.call("harm", {"pid": pid}, 5.0)
    alive = (await victim.call("bystander", {}, 5.0)).ok
    await victim.close()
    await attacker.close()
    verdict = gives(["stopped"] * 8)(outcome)
    return Verdict(verdict.blocked and alive, verdict.detail)


_HARM = arena(
    function(
        "harm",
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def c(*arguments):
            if libc.syscall(*map(ctypes.c_long, arguments)) != 0:
                raise OSError
        got = []
        for act in (
            lambda: os.kill(pid, 9),
            lambda: os.kill(pid, 19),
            lambda: open(f"/proc/{pid}/mem", "r+b"),
            lambda: open(f"/proc/{pid}/environ", "rb"),
            lambda: open(f"/proc/{pid}/fd/3", "wb"),
            lambda: os.pidfd_open(pid),
            lambda: c(101 if os.uname().machine == "x86_64" else 117, 16, pid, 0, 0),
            lambda: os.sched_setaffinity(pid, {0}),
        ):
            try:
                act()
                got.append("OPEN")
            except OSError:
                got.append("stopped")
        return got
        """,
        takes="pid",
    )
)


async def _next_is_clean(ground: Field) -> Verdict:
    """Module state, defaults and patches of one session are not there in the next."""
    bundle = arena(
        ToolCode(
            "stain",
            "import json, sys, atexit, random\nKEPT = []\ndef stain(kept=[]):\n    KEPT.append(1)\n    kept.append(1)\n"
            "    json.marked = sys.marked = True\n    random.seed(1)\n    atexit.register(print)\n"
            "    return 'stained'\n",
        ),
        ToolCode(
            "look",
            "import json, sys, random\ndef look():\n    stain = sys.modules['arena_tools.stain']\n"
            "    return [stain.KEPT, stain.stain.__defaults__[0], hasattr(json, 'marked'), hasattr(sys, 'marked'), "
            "random.random()]\n",
        ),
    )
    before = await ground.once(bundle, "look")
    await ground.once(bundle, "stain")
    after = await ground.once(bundle, "look")
    return Verdict(before.ok and before == after, f"{before.output} then {after.output}"[:300])


async def _same_seed(ground: Field) -> Verdict:
    """Order of sets, hashes, random numbers: the same in another session of the same seed."""
    bundle = arena(
        function("draw", "import random\nreturn [list({'a', 'b', 'c', 'd'}), hash('x'), random.random()]", takes="")
    )
    first, second = [await ground.once(bundle, "draw") for _ in range(2)]
    return Verdict(first.ok and first == second, f"{first.output} then {second.output}"[:300])


async def _server_words(ground: Field) -> Verdict:
    """Nothing of the server is in the process: no module, no path, no environment, no answer in any object."""
    words = ("astra_", "subtask", "golden", "pydantic", "env-server", str(ground.around["word"]))
    inside = str(Path(str(ground.around["runner"])).parent)
    outcome = await ground.once(_WALK, "walk", words=list(words), apart=inside)
    return gives([])(outcome)


_WALK = arena(
    function(
        "walk",
        """
        import gc, os, sys
        texts = [*sys.modules, *sys.path, *os.environ, *os.environ.values(), *sys.argv, os.getcwd()]
        frame = sys._getframe(1)
        while frame:
            texts += [k for k in frame.f_locals] + [k for k in frame.f_globals]
            frame = frame.f_back
        for held in gc.get_objects():
            if type(held) is dict and held.get("words") is not words:
                texts += [t for pair in held.items() for t in pair if type(t) is str and len(t) < 10_000]
            elif type(held) in (list, tuple) and held is not words:
                texts += [t for t in held if type(t) is str and len(t) < 10_000]
        mine = {"walk", *words}
        return sorted({t[:80] for t in texts if t not in mine and apart not in t and any(w in t for w in words)})
        """,
        takes="words, apart",
    )
)


async def _given_up(ground: Field) -> Verdict:
    """The caller goes away in the middle of a call: the session is ended, for nobody can say in what state it is."""
    session = await ground.sandbox.open(arena(function("nap", "import time\ntime.sleep(999)", takes="")), 0)
    call = asyncio.create_task(session.call("nap", {}, 60.0))
    await asyncio.sleep(0.1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    return Verdict(not session.alive, f"alive: {session.alive}")


async def _introspect(ground: Field) -> Verdict:
    """A tool looks at the code of its arena's other tools."""
    outcome = await ground.once(
        arena(
            ToolCode("other", "ANSWER = 'held by another tool'\ndef other(): return 1\n"),
            function("look", "import sys\nreturn sys.modules['arena_tools.other'].ANSWER", takes=""),
        ),
        "look",
    )
    return Verdict(not outcome.ok, outcome.output[:300])


LOOKS = {
    "kernel_version": "import os\nreturn [os.uname().release, os.uname().version]",
    "memory_of_the_machine": (
        "import ctypes\ninfo = (ctypes.c_ulong * 14)()\nif ctypes.CDLL(None).sysinfo(info): raise OSError('stopped')\n"
        "return list(info)[:5]"
    ),
    "install_path": (
        "import sys\nplace = sys._getframe(1).f_code.co_filename\n"
        "if place.startswith('/astra'): raise OSError('the same everywhere')\nreturn place"
    ),
    "host_name": (
        "import os\nname = os.uname().nodename\nif name == 'astra': raise OSError('a name of its own')\nreturn name"
    ),
}


def protocol() -> list[Probe]:
    """The probes of lines 32 to 39."""
    return [
        *(Probe(f"forge_{how}", _FORGED.get(how, 34), _forge(how), FORGING) for how in FORGERIES),
        Probe("half_frame", 34, _half_frame, FORGING),
        Probe("after_close", 33, _after_close, FORGING),
        Probe("inherited_descriptors", 11, _descriptors, _HELD),
        *probes(34, fails_as(TOOL), {k: v for k, v in NOT_JSON.items() if k not in _LINE_35}),
        *probes(35, fails_as(TOOL), {k: v for k, v in NOT_JSON.items() if k in _LINE_35}),
        *(
            probe
            for name, (body, text) in AS_TEXT.items()
            for probe in probes(35 if name == "pickle" else 34, gives(text), {name: body})
        ),
        *probes(36, gives({"a": 1}), {"patched_json": SURROUNDINGS["patched_json"]}),
        *probes(36, fails_as(TOOL), {name: SURROUNDINGS[name] for name in _OWN_HARM}),
        Probe("server_words", 36, _server_words, _WALK),
        Probe("reads_its_arenas_code", 36, _introspect),
        *probes(36, stopped, LOOKS),
        Probe("next_session_is_clean", 37, _next_is_clean),
        *probes(38, fails_as(TOOL), EXCEPTIONS),
        Probe("everything_on_a_sibling", 26, _sibling, _HARM),
        Probe("same_seed", 39, _same_seed),
        Probe("caller_goes", 40, _given_up),
    ]  # fmt: skip


_FORGED = {"everywhere": 32, "another": 33, "twice": 33, "ahead": 33}
_OWN_HARM = ("patched_builtins", "patched_write", "trace")
_LINE_35 = ("reduce", "pretends_to_be_text", "lying_text", "lying_items", "lying_class")
