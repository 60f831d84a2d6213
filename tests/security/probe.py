"""What a probe is: one attempt, where it comes from, how one sees that it failed."""

import json
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from astra_env_server.sandbox.base import Bundle, CallOutcome, Sandbox, ToolCode
from astra_proto.envs import ErrorClass

from tests.security.bodies import STOPPED

BYSTANDER = ToolCode(
    "bystander",
    "import os\nSTEPS = [0]\ndef bystander():\n    STEPS[0] += 1\n    return [os.getpid(), STEPS[0], id(STEPS)]\n",
)
"""In every bundle that is attacked: its state must move by one a call, whatever its neighbours do."""
DEADLINE_S = 20.0
"""Of a call that must fail by itself, long before this."""
SHORT_S = 0.5
"""Of a call that must be killed."""


@dataclass(frozen=True)
class Verdict:
    """What came of an attempt."""

    blocked: bool
    detail: str


@dataclass(frozen=True)
class Field:
    """Where attacks take place: a sandbox of one tier, and what of the server must stay out of reach."""

    sandbox: Sandbox
    around: dict[str, Any]

    async def once(self, bundle: Bundle, tool: str, timeout_s: float = DEADLINE_S, **arguments: Any) -> CallOutcome:
        """The outcome of one call in a session of its own."""
        session = await self.sandbox.open(bundle, 7)
        try:
            return await session.call(tool, arguments, timeout_s)
        finally:
            await session.close()


Attack = Callable[[Field], Awaitable[Verdict]]


@dataclass(frozen=True)
class Probe:
    """One attempt. ``line`` is its number in the table of docs/security.md."""

    name: str
    line: int
    attack: Attack
    bundle: Bundle = field(default_factory=lambda: Bundle((BYSTANDER,)))
    """The code of the attacked arena: while the attempt is made, another session of it looks on."""


def function(name: str, body: str, takes: str = "x=None") -> ToolCode:
    """A tool of this name whose function has this body."""
    return ToolCode(name, f"def {name}({takes}):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n")


def arena(*tools: ToolCode) -> Bundle:
    """These tools and the bystander's."""
    return Bundle((*tools, BYSTANDER))


def stopped(outcome: CallOutcome) -> Verdict:
    """Blocked when the tool was refused by an exception of the system's."""
    told = outcome.output.split(":")[0] in STOPPED and "OPEN" not in outcome.output
    return Verdict(outcome.error_class is ErrorClass.TOOL and told, outcome.output[:300])


def fails_as(*classes: ErrorClass, told: str = "") -> Callable[[CallOutcome], Verdict]:
    """Blocked when the call fails in one of these ways, with these words."""

    def judge(outcome: CallOutcome) -> Verdict:
        fits = not outcome.ok and outcome.error_class in classes and told in outcome.output
        return Verdict(fits and len(outcome.output) <= 8192, f"{outcome.error_class}: {outcome.output[:300]}")

    return judge


def gives(expected: Any) -> Callable[[CallOutcome], Verdict]:
    """Blocked when the call gives just this: the attempt changed nothing."""
    text = expected if isinstance(expected, str) else json.dumps(expected)

    def judge(outcome: CallOutcome) -> Verdict:
        return Verdict(outcome.ok and outcome.output == text, outcome.output[:300])

    return judge


def probes(
    line: int, judge: Callable[[CallOutcome], Verdict], bodies: dict[str, str], timeout_s: float = DEADLINE_S
) -> list[Probe]:
    """One probe a body, all of them tools of one arena, so that one runner serves them."""
    bundle = arena(*(function(name, body) for name, body in bodies.items()))

    def attack(name: str) -> Attack:
        async def attempt(ground: Field) -> Verdict:
            return judge(await ground.once(bundle, name, timeout_s, x=ground.around))

        return attempt

    return [Probe(name, line, attack(name), bundle) for name in bodies]
