"""Runs the mutants of an arena's tools: how many of those that a golden call comes by does it notice?"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from astra_proto.arenas import SubTask
from astra_proto.envs import ErrorClass

from astra_env_server.gate.bench import Bench, Caller
from astra_env_server.gate.mutants import Mutated, Score
from astra_env_server.gate.sampling import Arguments
from astra_env_server.gate.state import gives
from astra_env_server.sandbox.base import CallOutcome

MOST_MUTANTS = 24
"""Of one tool; of more, as many are taken evenly."""

_SEED = 4
_TOTAL_S = 6.0
_LEAST_CALL_S = 0.2
_PATIENCE = 20.0
"""How many times as long as the golden call a mutant may run: one that runs longer is caught by its time."""


class MutantRuns:
    """Calls of mutants, in a session of their own."""

    def __init__(self, bench: Bench, before: Mapping[int, bytes]) -> None:
        self._mutated, self._before = bench.mutated, before
        self._caller: Caller = bench.caller(_SEED)
        self._until = time.monotonic() + _TOTAL_S

    async def scores(self, tasks: Mapping[str, list[SubTask]], call_s: Mapping[str, float]) -> dict[str, Score]:
        """The score of each of these tools, by name, with what its slowest golden call took.

        A tool whose mutants could not be made or imported has no score.
        """
        if self._mutated is None:
            return {}
        return {
            name: await self._score(self._mutated[name], own, max(_LEAST_CALL_S, _PATIENCE * call_s[name]))
            for name, own in tasks.items()
        }

    async def way(
        self, tool: str, arguments: Arguments, call_s: float, met: bytes = b""
    ) -> set[tuple[int, bool]] | None:
        """Which way a call went at each comparison that it came by; None where that cannot be told."""
        mutated = self._mutated.get(tool) if self._mutated is not None else None
        if mutated is None or not mutated.places:
            return None
        seen = await self._call(mutated, -1, arguments, max(_LEAST_CALL_S, _PATIENCE * call_s), met)
        try:
            return {(int(number), bool(value)) for number, value in _told(seen, "turns")}
        except (TypeError, ValueError):
            return None

    async def close(self) -> None:
        """End the session."""
        await self._caller.close()

    async def _score(self, mutated: Mutated, tasks: Sequence[SubTask], call_s: float) -> Score:
        if not mutated.places:
            return Score(0)
        reached: dict[int, list[SubTask]] = {}
        for task in tasks:
            seen = await self._call(mutated, -1, task.golden_call.arguments, call_s, self._before[task.id])
            for number in _told(seen, "seen"):
                if isinstance(number, int) and number in mutated.places:
                    reached.setdefault(number, []).append(task)
        chosen = sorted(reached)
        if len(chosen) > MOST_MUTANTS:
            chosen = [chosen[at * len(chosen) // MOST_MUTANTS] for at in range(MOST_MUTANTS)]
        at_once = {task.id: await self._many(mutated, chosen, task, call_s) for task in tasks}
        survived: list[str] = []
        caught: list[str] = []
        tried = 0
        for number in chosen:
            if time.monotonic() > self._until:
                break
            tried += 1
            noticed = await self._caught(mutated, number, reached[number], call_s, at_once)
            (caught if noticed else survived).append(mutated.places[number])
        return Score(tried, tuple(survived), tuple(caught))

    async def _caught(
        self,
        mutated: Mutated,
        number: int,
        tasks: Sequence[SubTask],
        call_s: float,
        at_once: Mapping[int, Mapping[int, CallOutcome]],
    ) -> bool:
        for task in tasks:
            outcome = at_once[task.id].get(number)
            if outcome is None:
                met = self._before[task.id]
                outcome = await self._call(mutated, number, task.golden_call.arguments, call_s, met)
            if not gives(task, outcome):
                return True
        return False

    async def _many(
        self, mutated: Mutated, numbers: Sequence[int], task: SubTask, call_s: float
    ) -> dict[int, CallOutcome]:
        """The outcomes of several mutants by one call; none where one of them may not end, or there is a state."""
        if self._before[task.id] or not numbers:
            return {}
        arguments: Arguments = {"number": [*numbers], "arguments": task.golden_call.arguments}
        told = await self._caller.outcome(mutated.name, arguments, call_s)
        if not told.ok:
            return {}
        try:
            pairs = [(number, bool(ok), str(text)) for number, (ok, text) in zip(numbers, _read(told), strict=True)]
        except (TypeError, ValueError):
            return {}
        return {number: CallOutcome(ok, text, None if ok else ErrorClass.TOOL) for number, ok, text in pairs}

    async def _call(
        self, mutated: Mutated, number: int, arguments: Arguments, call_s: float, met: bytes
    ) -> CallOutcome:
        return await self._caller.outcome(mutated.name, {"number": number, "arguments": arguments}, call_s, met)


def goes_along(way: set[tuple[int, bool]], golden: set[tuple[int, bool]]) -> bool:
    """Whether each comparison that always went one way in the golden call went that way, among others, here."""
    return all(turn in way or (number, not taken) in golden for turn in golden for number, taken in (turn,))


def _told(outcome: CallOutcome, key: str) -> list[Any]:
    """What a module of mutants says of itself; nothing where the tool's code made something else of it."""
    read = _read(outcome)
    found = read.get(key) if isinstance(read, dict) else None
    return found if isinstance(found, list) else []


def _read(outcome: CallOutcome) -> Any:
    try:
        return orjson.loads(outcome.output) if outcome.ok else None
    except ValueError:
        return None
