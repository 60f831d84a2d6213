"""Makes the calls that the checks of behaviour look at, once for all of them."""

import random

from astra_proto.arenas import SubTask

from astra_env_server.arenas.demonstration import turns
from astra_env_server.arenas.playable import Playable
from astra_env_server.gate import apart, blind, elsewhere, probing
from astra_env_server.gate.bench import Bench, Caller
from astra_env_server.gate.copies import copies
from astra_env_server.gate.evidence import Evidence, Limits, Ran, any_alike
from astra_env_server.gate.knowledge import says_something
from astra_env_server.gate.literals import Literals
from astra_env_server.gate.mutant_runs import MutantRuns, goes_along
from astra_env_server.gate.sampling import Arguments, NoSuchArguments, fits, resembling, sample
from astra_env_server.gate.state import another, as_code
from astra_env_server.gate.telling import told_by_others
from astra_env_server.sandbox.base import Sandbox

SEEDS = (1, 2, 3)
"""Of the golden run, of its repetition, and of everything else."""
_ELSEWHERE_SEED = 5
_APART_SEED = 6

_IN_A_ROW = 3
"""Golden calls without any other between them: what fails each second or third time does so in one of them."""

_RANDOM_PER_TOOL = 4
_RESEMBLING = 8
_KNOWN = 16
"""Calls that are spent, at most, on finding out whether a tool knows more than its golden rows."""
_KNOWN_AT_LEAST = 3
"""Of these, that are answered: so that what all of them get alike is seen."""
_SINGLE = 8
"""Ways in which one argument is changed, at most, until a change is seen."""
ENOUGH_ANSWERS = 2
"""Answers beside the golden ones that a tool must be seen to give."""
_OWN_ROWS = 12
_WAYS = 12
"""Calls that are followed through the code, at most, until one is found that goes the golden way."""
_OF_SLOW = 2
"""Calls with changed arguments of a tool that takes too long for its golden call."""


class Gathering:
    """One arena's evidence in the making."""

    def __init__(self, arena: Playable, bench: Bench) -> None:
        self.evidence = Evidence(arena.spec, bench.limits)
        self._arena, self._bench, self._spec = arena, bench, arena.spec
        self._rng = random.Random(arena.id)
        self._tools = {tool.name: tool for tool in arena.spec.tools}
        self._tasks: list[SubTask] = [task for turn in turns(arena.spec) for task in turn]
        self._golden = {
            tool.name: [t.golden_call.arguments for t in arena.spec.subtasks if t.tool == tool.name]
            for tool in (*arena.spec.tools, *arena.spec.distractors)
        }
        self._start = arena.state.json if arena.state is not None else b""
        self._read: dict[str, Literals] = {}

    async def golden_runs(self) -> None:
        """The golden calls in two fresh sessions, and the states that they met."""
        evidence = self.evidence
        for seed, runs in ((SEEDS[0], evidence.golden), (SEEDS[1], evidence.again)):
            caller = self._bench.caller(seed)
            try:
                for task in self._tasks:
                    runs[task.id] = await caller.call(task.tool, task.golden_call.arguments)
            finally:
                await caller.close()
        met = self._start
        for task in self._tasks:
            evidence.before[task.id] = met
            met = evidence.golden[task.id].outcome.state or met

    async def disturbed_runs(self) -> None:
        """Everything but the golden calls, and these among it, in one session."""
        caller = self._bench.caller(SEEDS[2])
        try:
            for task in self._tasks:
                await self._around(task, caller)
            await self._drawn(caller)
            await self._of_others(caller)
            for name in self.evidence.told_apart:
                await self._more_of(name, caller)
            for times in (_IN_A_ROW, 1):
                for task in self._tasks:
                    for _ in range(times if task.id in self.evidence.later else 0):
                        await self._once_more(task, caller)
        finally:
            await caller.close()

    async def runs_elsewhere(self) -> None:
        """The golden calls at another time, with other chance, with sets in another order."""
        caller = self._bench.caller(_ELSEWHERE_SEED)
        try:
            for task in self._tasks:
                golden = self.evidence.golden[task.id]
                for place in (elsewhere.EARLY, elsewhere.LATE):
                    if not golden.outcome.ok:
                        continue
                    run = await self._at(place, task, caller)
                    if run.outcome == golden.outcome:
                        continue
                    fresh = self._bench.caller(_ELSEWHERE_SEED)
                    try:  # in a session in which nothing was replaced
                        here = await self._at(elsewhere.HERE, task, fresh)
                    finally:
                        await fresh.close()
                    if here.outcome.ok:  # else the twin is at fault
                        self.evidence.otherwise.setdefault(task.id, []).append(run)
        finally:
            await caller.close()

    async def runs_apart(self) -> None:
        """Of a stateful arena: golden calls without one of them, what tells another's answer elsewhere, and copies."""
        caller, evidence = self._bench.caller(_APART_SEED), self.evidence
        by_run = {id(evidence.golden[task.id]): evidence.before[task.id] for task in self._tasks}
        try:
            evidence.without = await apart.runs_without(evidence, self._tasks, caller)
            for task, _, run in told_by_others(evidence):
                met = by_run.get(id(run), self._start)
                evidence.shifted[id(run), task.id] = await apart.in_another_state(run, task, met, caller)
            evidence.copies = await copies(self._arena, evidence, caller)
        finally:
            await caller.close()

    async def mutant_runs(self) -> None:
        """What mutants of the code do, and which way other calls go through it."""
        evidence = self.evidence
        runs = MutantRuns(self._bench, evidence.before)
        try:
            slowest = {name: evidence.slowest(name) for name in evidence.told_apart}
            evidence.mutants = await runs.scores(evidence.told_apart, slowest)
            for name, tasks in evidence.told_apart.items():
                await self._ways(name, tasks, runs, slowest[name])
        finally:
            await runs.close()

    async def _at(self, place: int, task: SubTask, caller: Caller) -> Ran:
        arguments: Arguments = {"place": place, "tool": task.tool, "arguments": task.golden_call.arguments}
        return await caller.call(elsewhere.NAME, arguments, self.evidence.before[task.id])

    async def _around(self, task: SubTask, caller: Caller) -> None:
        """A golden call, and what stands around it: all arguments changed, each one changed, something left out."""
        evidence, tool, schema = self.evidence, self._tools[task.tool], self._arena.schemas[task.tool]
        own, met = task.golden_call.arguments, evidence.before[task.id]
        slow = evidence.slowest(task.tool) > evidence.limits.call_s / 2  # refused for that, and not asked much more
        if not slow:
            await self._once_more(task, caller)
        chosen = probing.changed(own, self._golden[task.tool], tool.parameters, schema, self._rng)
        chosen = chosen[:_OF_SLOW] if slow else chosen
        evidence.perturbed[task.id] = [await caller.call(task.tool, arguments, met) for arguments in chosen]
        if slow:
            return
        needed = probing.needed_by(task, self._spec.subtasks)
        blank = probing.vague(own, needed, tool.parameters, schema)
        evidence.vague[task.id] = [await caller.call(task.tool, arguments, met) for arguments in blank]
        mistaken = probing.of_nothing(own, schema)
        evidence.mistaken += [await caller.call(task.tool, arguments, met) for arguments in mistaken]
        if self._spec.state is not None:
            evidence.elsewhere[task.id] = await caller.call(task.tool, own, another(self._spec.state))
        literals = self._literals(task.tool)
        evidence.keyed.setdefault(task.tool, set()).update(literals.keyed(own))
        singles = evidence.single.setdefault(task.id, {})
        for name in own:
            tried = singles.setdefault(name, [])
            for how in probing.singly(own, name, tool.parameters, schema, literals, self._rng):
                tried.append((await caller.call(task.tool, how.arguments, met), how))
                if evidence.matters(task, name) or len(tried) == _SINGLE:
                    break
        if len(own) > 1:  # of a single argument every change is one of all arguments
            for name in own:
                await self._blind(task, name, caller)
        await self._once_more(task, caller)

    async def _blind(self, task: SubTask, name: str, caller: Caller) -> None:
        evidence, tool, own = self.evidence, self._tools[task.tool], task.golden_call.arguments
        tried = evidence.blind.setdefault(task.id, {}).setdefault(name, [])
        for value in blind.values(own, name, tool.parameters, self._arena.schemas[task.tool], self._rng):
            tried.append(await caller.call(task.tool, {**own, name: value}, evidence.before[task.id]))
            if len(tried) == blind.AT_FIRST and not any(evidence.gives_the_same(task, run) for run in tried):
                break

    async def _once_more(self, task: SubTask, caller: Caller) -> None:
        met = self.evidence.before[task.id]
        run = await caller.call(task.tool, task.golden_call.arguments, met)
        self.evidence.later.setdefault(task.id, []).append(run)

    async def _drawn(self, caller: Caller) -> None:
        start = self._start
        for tool in (*self._spec.tools, *self._spec.distractors):
            golden = self._golden[tool.name]
            for drawn in probing.drawn(tool, self._arena.schemas[tool.name], golden, self._rng, _RANDOM_PER_TOOL):
                self.evidence.random.append(await caller.call(tool.name, drawn, start))
                start = b""  # each call goes on from what the one before left, as an agent's would

    async def _of_others(self, caller: Caller) -> None:
        """Every tool is asked what the golden calls of others ask; a distractor, what stands in its tables as well."""
        evidence = self.evidence
        for tool in (*self._spec.tools, *self._spec.distractors):
            schema = self._arena.schemas[tool.name]
            tasks = [task for task in self._spec.subtasks if task.tool != tool.name]
            made = (resembling(task.golden_call.arguments, tool.parameters, self._rng) for task in tasks)
            chosen = probing.distinct(arguments for arguments in made if fits(schema, arguments))[:_RESEMBLING]
            distractor = tool.name not in self._tools
            if distractor:
                chosen = probing.distinct([*chosen, *probing.of_own_rows(tool, schema, _OWN_ROWS)])
                if not chosen:
                    try:
                        chosen = [sample(tool.parameters, schema, self._rng)]
                    except NoSuchArguments:
                        chosen = []
            runs = [await caller.call(tool.name, arguments, self._start) for arguments in chosen]
            (evidence.distractors if distractor else evidence.others)[tool.name] = runs

    async def _more_of(self, name: str, caller: Caller) -> None:
        """Ask a tool for rows that stand beside the golden ones in its code, until it gives other answers."""
        evidence, tool, schema = self.evidence, self._tools[name], self._arena.schemas[name]
        tasks = evidence.by_tool[name]
        golden = [task.golden_call.arguments for task in tasks]
        literals = self._literals(name)
        asked = evidence.known.setdefault(name, [])
        for arguments in (other for own in golden for other in literals.beside(own, tool.parameters)):
            tried = [*golden, *(run.arguments for run in asked)]
            if any_alike(arguments, tried) or not fits(schema, arguments):
                continue
            asked.append(await caller.call(name, arguments, evidence.before[tasks[0].id]))
            answered = sum(run.outcome.ok for run in asked)
            enough = evidence.other_answers(name) >= ENOUGH_ANSWERS and answered >= _KNOWN_AT_LEAST
            if enough or len(asked) == _KNOWN:
                break

    async def _ways(self, name: str, tasks: list[SubTask], runs: MutantRuns, call_s: float) -> None:
        """Which of the calls that were answered otherwise went another way through the code than every golden one.

        A tool that looks things up may do so in one way for one row and in another for the next, so there it is enough
        that a single other row is found in the golden way.
        """
        evidence, before = self.evidence, self.evidence.before
        golden = [await runs.way(name, t.golden_call.arguments, call_s, before[t.id]) for t in tasks]
        if None in golden:
            return
        own = {evidence.golden[task.id].said.masked for task in tasks}
        keyed = bool(evidence.keyed.get(name))
        counted: set[str] = set()
        apart = []
        for run in evidence.beside(name, informed=keyed):
            text = run.said.masked
            if not run.outcome.ok or text in own or text in counted or not says_something(text):
                continue
            way = await runs.way(name, run.arguments, call_s, before[tasks[0].id])
            if way is None or any(each is not None and goes_along(way, each) for each in golden):
                counted.add(text)
                if keyed or len(counted) >= ENOUGH_ANSWERS:
                    return
            else:
                apart.append(run)
                if len(apart) == _WAYS:
                    break
        others = evidence.beside(name, informed=keyed)
        evidence.aside |= {id(run) for run in others if run.said.masked not in counted}

    def _literals(self, name: str) -> Literals:
        if name not in self._read:
            states = dict.fromkeys(
                met for task in self.evidence.by_tool[name] if (met := self.evidence.before[task.id])
            )
            self._read[name] = Literals(self._tools[name].code + as_code(iter(states)))
        return self._read[name]


async def gather(arena: Playable, sandbox: Sandbox, limits: Limits) -> Evidence:
    """Make the calls. Raises what the sandbox raises when it cannot run them at all, and TookTooLong."""
    bench = Bench(arena, sandbox, limits)
    await bench.prepare()
    gathering = Gathering(arena, bench)
    await gathering.golden_runs()
    await gathering.disturbed_runs()
    if bench.mutated is not None:
        await gathering.runs_elsewhere()
    if arena.state is not None:
        await gathering.runs_apart()
    await gathering.mutant_runs()
    return gathering.evidence
