"""Attacks made while the zygote imports an arena's code, before there is any session."""

from astra_env_server.sandbox.base import Bundle, SandboxError, SandboxLost, ToolCode

from tests.security.bodies import PROBES
from tests.security.probe import Attack, Field, Probe, Verdict, arena, gives, stopped

_AT_IMPORT = ("planted_secret", "loopback", "fork", "shell", "kill_zygote", "write_shm")


def _on_import(name: str) -> Attack:
    """The attempt made while the zygote imports the code, before there is any session."""
    body = "\n".join("    " + line for line in PROBES[name].strip().splitlines())

    def code(around: dict[str, object]) -> Bundle:
        text = (
            f"def attempt(x):\n{body}\ntry:\n    GOT = 'OPEN ' + repr(attempt({around!r}))[:80]\n"
            "except Exception as error:\n    GOT = type(error).__name__\ndef got():\n    raise OSError(GOT)\n"
        )
        return arena(ToolCode("got", text))

    async def attempt(ground: Field) -> Verdict:
        return stopped(await ground.once(code(ground.around), "got"))

    return attempt


IMPORTS = {
    "import_exits": "import os\nos._exit(0)",
    "import_crashes": "import ctypes\nctypes.string_at(0)",
    "import_forges": (
        "import os, time\nfor d in range(3, 4096):\n    try: os.write(d, b'\\0\\0\\0\\x0c{\"ok\": true}')\n"
        "    except OSError: pass\ntime.sleep(999)"
    ),
    "import_floods_the_wire": (
        "import os\nfor d in range(3, 4096):\n    try: os.write(d, b'\\xff' * 4096)\n    except OSError: pass"
    ),
    "import_eats_memory": "x = [bytearray(1 << 24) for _ in range(999)]",
    "import_never_ends": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "import_of_another_machine": "import astra_env_server",
}


def _bad_import(code: str) -> Attack:
    async def attempt(ground: Field) -> Verdict:
        try:
            await ground.once(arena(ToolCode("fine", f"{code}\ndef fine(): return 1\n")), "fine")
        except SandboxError as error:
            return Verdict(True, f"{type(error).__name__}: {error}"[:300])
        return Verdict(False, "it was served")

    return attempt


async def _fork_hooks(ground: Field) -> Verdict:
    """What an import leaves in the zygote may run at each fork; it gets no process beside those announced.

    It may be fast enough to take the place of the second session: then the runner is given up, with all in it.
    """
    first = await ground.sandbox.open(_HOOKS, 0)
    try:
        second = await ground.sandbox.open(_HOOKS, 0)
    except SandboxLost as error:
        outcome = await first.call("made", {}, 5.0)
        await first.close()
        left = (await ground.sandbox.stats()).sessions
        return Verdict(not outcome.ok or outcome.output == "[]", f"{error}; {left} sessions are left"[:300])
    outcome = await second.call("made", {}, 5.0)
    await first.close()
    await second.close()
    return gives([])(outcome)


_HOOKS = arena(
    ToolCode(
        "made",
        "import os\nMADE, TRIED = [], []\ndef more():\n    if len(TRIED) < 3:\n        TRIED.append(1)\n"
        "        try: MADE.append(os.fork())\n        except OSError: pass\n"
        "os.register_at_fork(after_in_parent=more)\ndef made(): return MADE\n",
    )
)


def imports() -> list[Probe]:
    """The probes of lines 20, 37 and 38 that an import makes."""
    return [
        *(Probe(f"import_{name}", 37, _on_import(name)) for name in _AT_IMPORT),
        *(Probe(name, 38, _bad_import(code)) for name, code in IMPORTS.items()),
        Probe("fork_hooks", 20, _fork_hooks, _HOOKS),
    ]
