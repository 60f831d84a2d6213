"""What an arena's tools did in the sandbox: what the checks of behaviour look at."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from astra_proto.arenas import ArenaSpec, SubTask

from astra_env_server.gate.knowledge import Said, other_answers
from astra_env_server.gate.literals import same
from astra_env_server.gate.mutants import Score
from astra_env_server.gate.probing import OneChanged
from astra_env_server.gate.sampling import Arguments
from astra_env_server.gate.state import gives
from astra_env_server.sandbox.base import CallOutcome
from astra_env_server.scoring.end_state import holds_in
from astra_env_server.scoring.f1 import Scorer


@dataclass(frozen=True)
class Limits:
    """What calls of the gate may take."""

    call_s: float
    """Seconds, as in an env."""
    output_bytes: int
    total_s: float = 60.0
    """Seconds that all calls of one arena may take together."""


@dataclass(frozen=True)
class Ran:
    """One call, and what came of it."""

    tool: str
    arguments: Arguments
    outcome: CallOutcome
    seconds: float

    @cached_property
    def said(self) -> Said:
        """What was asked and answered; of a call that changed the state, what it made of it."""
        if self.outcome.state is not None:
            return Said({}, self.outcome.state.decode())
        return Said(self.arguments, self.outcome.output)

    def count(self, scorer: Scorer) -> None:
        """Count it as an env would."""
        state = None if self.outcome.state is None else json.loads(self.outcome.state)
        scorer.call(self.tool, self.outcome.output if self.outcome.ok else None, state)


@dataclass
class Evidence:
    """The calls that were made, by what they were made for. Sub-task and distractor runs are by id and name."""

    spec: ArenaSpec
    limits: Limits
    golden: dict[int, Ran] = field(default_factory=dict)
    again: dict[int, Ran] = field(default_factory=dict)
    later: dict[int, list[Ran]] = field(default_factory=dict)
    """The golden calls once more, among and behind all others."""
    otherwise: dict[int, list[Ran]] = field(default_factory=dict)
    """The golden calls at another time, with other chance and sets in another order; only what differed."""
    perturbed: dict[int, list[Ran]] = field(default_factory=dict)
    vague: dict[int, list[Ran]] = field(default_factory=dict)
    """Golden calls without something that they need."""
    mistaken: list[Ran] = field(default_factory=list)
    """Golden calls with a number that makes no sense. An honest tool may take it, so only failures are looked at."""
    single: dict[int, dict[str, list[tuple[Ran, OneChanged]]]] = field(default_factory=dict)
    """Golden calls with one argument changed, by its name."""
    blind: dict[int, dict[str, list[Ran]]] = field(default_factory=dict)
    """Golden calls with one argument replaced by what nobody would choose for a reason, by its name."""
    random: list[Ran] = field(default_factory=list)
    distractors: dict[str, list[Ran]] = field(default_factory=dict)
    others: dict[str, list[Ran]] = field(default_factory=dict)
    """Calls of a tool with what the golden calls of other tools ask for, by name."""
    known: dict[str, list[Ran]] = field(default_factory=dict)
    """Calls of a tool with values of its own tables, by name."""
    mutants: dict[str, Score] = field(default_factory=dict)
    """By tool."""
    keyed: dict[str, set[str]] = field(default_factory=dict)
    """Arguments of golden calls that stand in a table of the code, by tool."""
    aside: set[int] = field(default_factory=set)
    """Calls (by ``id``) that went another way through the code than the golden one, which tell nothing of it."""
    before: dict[int, bytes] = field(default_factory=dict)
    """Of a stateful arena: the state that each golden call met, by sub-task."""
    elsewhere: dict[int, Ran] = field(default_factory=dict)
    """And the golden calls in a state in which nothing is to be found."""
    without: dict[int, list[Ran]] = field(default_factory=dict)
    """And the golden calls without that of a sub-task, by its id."""
    shifted: dict[tuple[int, int], Ran] = field(default_factory=dict)
    """And calls that told the answer of another tool's sub-task, in a state without it: by (``id`` of the call, id)."""
    copies: list[tuple[str, str]] = field(default_factory=list)
    """And tools that do and tell what another tool does and tells, behind that one."""

    _alike: dict[int, bool] = field(default_factory=dict, repr=False)
    """Whether a call (by ``id``) is a golden one of its tool, but for the spelling."""

    def everything(self) -> Iterator[Ran]:
        """Every call."""
        yield from (*self.golden.values(), *self.again.values(), *self.random, *self.mistaken)
        for group in (self.later, self.perturbed, self.vague):
            for runs in group.values():
                yield from runs
        for by_name in (self.distractors, self.others, self.known):
            for runs in by_name.values():
                yield from runs
        for by_argument in self.single.values():
            for tried in by_argument.values():
                yield from (run for run, _ in tried)
        for blind in self.blind.values():
            for runs in blind.values():
                yield from runs

    def constant(self, task: SubTask) -> bool:
        """Whether whatever was changed in the golden call of a sub-task changed nothing in the output."""
        golden, changed = self.golden[task.id].outcome, self.perturbed[task.id]
        return golden.ok and bool(changed) and all(run.outcome == golden for run in changed)

    def reached_before(self, task: SubTask) -> bool:
        """Whether an end-state held before its golden call was made."""
        return holds_in(task, json.loads(self.before[task.id])) if self.before.get(task.id) else False

    @cached_property
    def by_tool(self) -> dict[str, list[SubTask]]:
        """The sub-tasks of each tool that has any, by name."""
        found: dict[str, list[SubTask]] = {}
        for task in self.spec.subtasks:
            found.setdefault(task.tool, []).append(task)
        return found

    @cached_property
    def told_apart(self) -> dict[str, list[SubTask]]:
        """The same for tools whose golden calls give their answers, each time and in time, and changed ones do not.

        Where they do not, other checks refuse the arena, and what the code knows is not looked at.
        """
        return {name: tasks for name, tasks in self.by_tool.items() if all(map(self._told_apart, tasks))}

    def slowest(self, tool: str) -> float:
        """Seconds that the golden calls of a tool took, at most."""
        return max(run.seconds for task in self.by_tool[tool] for run in (self.golden[task.id], self.again[task.id]))

    def other_answers(self, tool: str) -> int:
        """How many distinct answers a tool was seen to give beside the golden ones.

        Where golden arguments stand in a table of the code, only calls with other values for them count: what it says
        to made up ones says nothing of what it knows. Where none does, calls count that went the golden call's way.
        """
        tasks = self.by_tool[tool]
        golden = [self.golden[task.id] for task in tasks]
        own = [run.arguments for run in golden]
        keyed = self.keyed.get(tool, set())
        asked = self._made_up(tool)
        beside = [run for run in self._informed(tool) if not keyed or _another_key(run.arguments, own, keyed)]
        return other_answers(
            [run.said for run in golden],
            [run.said for run in beside if run.outcome.ok and id(run) not in self.aside],
            [run.said for run in asked if run.outcome.ok and id(run) not in self.aside],
            yes_or_no=any(isinstance(task.answer.value, bool) for task in tasks),
            counted=not keyed,
        )

    def beside(self, tool: str, *, informed: bool) -> list[Ran]:
        """Calls of a tool that are none of its golden ones: with values that it may know, then, if wanted, others."""
        return [*self._informed(tool), *([] if informed else self._made_up(tool))]

    def matters(self, task: SubTask, name: str) -> bool:
        """Whether a change of this golden argument alone was seen to change what comes of the call."""
        return any(
            run.said.masked != self.golden[task.id].said.masked if run.outcome.ok else how.near
            for run, how in self.single.get(task.id, {}).get(name, [])
        )

    def gives_the_same(self, task: SubTask, run: Ran) -> bool:
        """Whether a call gave what the golden call gives, but for what it repeats of its arguments."""
        same_bytes = run.outcome == self.golden[task.id].outcome
        return run.outcome.ok and (same_bytes or run.said.masked == self.golden[task.id].said.masked)

    def _informed(self, tool: str) -> list[Ran]:
        tasks = self.by_tool[tool]
        keyed = self.keyed.get(tool, set())
        single = [
            run
            for task in tasks
            for name, tried in self.single.get(task.id, {}).items()
            for run, how in tried
            if how.listed or name not in keyed
        ]
        return self._not_golden(tool, [*self.known.get(tool, []), *single])

    def _made_up(self, tool: str) -> list[Ran]:
        perturbed = [run for task in self.by_tool[tool] for run in self.perturbed[task.id]]
        return self._not_golden(tool, [*perturbed, *(run for run in self.random if run.tool == tool)])

    def _not_golden(self, tool: str, runs: list[Ran]) -> list[Ran]:
        own = [task.golden_call.arguments for task in self.by_tool[tool]]
        for run in runs:
            if id(run) not in self._alike:
                self._alike[id(run)] = any_alike(run.arguments, own)
        return [run for run in runs if not self._alike[id(run)]]

    def _told_apart(self, task: SubTask) -> bool:
        golden, again = self.golden[task.id], self.again[task.id]
        return (
            golden.outcome.ok
            and golden.outcome == again.outcome
            and max(golden.seconds, again.seconds) <= self.limits.call_s / 2
            and gives(task, golden.outcome)
            and not self.constant(task)
            and not any(gives(task, run.outcome) for run in self.perturbed[task.id])
        )


def any_alike(arguments: Arguments, others: list[Arguments]) -> bool:
    """Whether these arguments are some of the others, but for their spelling."""
    return any(
        arguments.keys() == other.keys() and all(same(value, other[name]) for name, value in arguments.items())
        for other in others
    )


def _another_key(arguments: Arguments, own: list[Arguments], keyed: set[str]) -> bool:
    """Whether some argument that stands in a table has a value here that it has in no golden call."""
    return any(name in arguments and not any(same(arguments[name], other.get(name)) for other in own) for name in keyed)
