"""Is a tool of a stateful arena another one once more, whatever its name, its arguments and the dress of its answers?

Tools that share a state may tell the same thing of it: what was booked is told by who books it and by who looks it up.
But one that leaves the same state and tells exactly the same, wherever both were asked the same, is a copy.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from astra_env_server.arenas.playable import Playable
from astra_env_server.gate.bench import Caller
from astra_env_server.gate.evidence import Evidence, Ran
from astra_env_server.gate.knowledge import leaves, value_of
from astra_env_server.gate.sampling import Arguments, fits, resembling
from astra_env_server.sandbox.base import CallOutcome
from astra_env_server.scoring.folding import fold

_ROWS = 4
"""Calls in which two tools must agree, at most; where a tool was not seen to answer as many, in these."""
_FEWEST = 2
_WORD = re.compile(r"[^\W_]+")


class Asked(NamedTuple):
    """One call that two tools were asked alike, and what each made of it."""

    arguments: Arguments
    first: CallOutcome
    other: CallOutcome


async def copies(arena: Playable, evidence: Evidence, caller: Caller) -> list[tuple[str, str]]:
    """Tools that golden calls call, each with another tool that was not seen to differ from it."""
    found = []
    for name in evidence.told_apart:
        rows = [*_rows(evidence, name)]
        for tool in arena.spec.tools:
            if tool.name == name or (tool.name, name) in found:
                continue
            rng = random.Random(f"{arena.id}/{name}/{tool.name}")
            asked: list[Asked] = []
            for arguments, met in rows:
                made = resembling(arguments, tool.parameters, rng)
                if not fits(arena.schemas[tool.name], made):
                    continue
                other = (await caller.call(tool.name, made, met)).outcome
                if not other.ok:
                    break
                asked.append(Asked(arguments, (await caller.call(name, arguments, met)).outcome, other))
                if not alike(asked):
                    break
            else:
                if len(asked) >= _FEWEST:
                    found.append((name, tool.name))
    return found


def _rows(evidence: Evidence, name: str) -> Iterator[tuple[Arguments, bytes]]:
    """Calls that a tool answers, its golden ones first, each answer once, with the state to make them in."""
    tasks = evidence.by_tool[name]
    golden = [(evidence.golden[task.id], evidence.before[task.id]) for task in tasks]
    beside = [(run, evidence.before[tasks[0].id]) for run in evidence.beside(name, informed=True)]
    seen: set[str] = set()
    for run, met in (*golden, *beside):
        said = _answer(run)
        if run.outcome.ok and said not in seen and len(seen) < _ROWS:
            seen.add(said)
            yield run.arguments, met


def _answer(run: Ran) -> str:
    return run.outcome.output + (run.outcome.state or b"").decode()


def alike(asked: list[Asked]) -> bool:
    """Whether two tools left the same state each time and told the same.

    Of records and lists that is seen each time. A text must tell all that the first tool tells, and whatever words it
    has beside that must be the same in all of its texts.
    """
    words = set()
    for arguments, first, other in asked:
        given = _told(arguments)
        wanted, told = _told(value_of(first.output)) - given, value_of(other.output)
        if not first.ok or first.state != other.state or not (wanted or first.state):
            return False
        if not isinstance(told, str):
            if wanted != _told(told) - given:
                return False
            continue
        text = fold(told)
        for each in sorted(wanted | given, key=len, reverse=True):
            text, times = re.subn(rf"(?<!\w){re.escape(each)}(?!\w)", " ", text)
            if not times and each in wanted:
                return False
        words.add(frozenset(_WORD.findall(text)))
    return len(words) <= 1


def _told(value: object) -> set[str]:
    """The values in it, folded."""
    found = (fold(leaf if isinstance(leaf, str) else json.dumps(leaf)) for leaf in leaves(value) if leaf is not None)  # type: ignore[arg-type]
    return {each for each in found if each}
