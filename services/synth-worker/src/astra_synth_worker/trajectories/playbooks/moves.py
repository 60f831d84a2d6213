"""The parts of a playbook: a move is one use of one tool, and a plan is moves in an order that can work."""

import json
import random
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = dict[str, Any]
"""Names and values that a user gives, drawn from a seed: ``name``, ``amount`` ..."""
Learned = dict[str, Any]
"""What earlier results have told: ``customer_id``, ``charge`` ..."""


class CannotContinue(Exception):
    """A result that a later step needs is not there; the text says which."""


@dataclass(frozen=True)
class Move:
    """One use of a tool.

    ``needs``, ``gives`` and ``takes`` are conditions such as ``customer``: what must hold before it, what holds after
    it and what no longer does. They order a plan and fill its gaps.
    """

    tool: str
    draw: Callable[[random.Random, Facts], Facts]
    """New facts for this use, given those drawn before."""
    asks: tuple[str, ...]
    """Ways in which a user asks for it, filled from the facts."""
    arguments: Callable[[Facts, Learned], dict[str, Any]]
    """The call. Raises KeyError for what no result has told."""
    says: Callable[[Facts, Any], str]
    """A sentence of the final answer that quotes the result."""
    learns: Callable[[Any], Learned] = lambda result: {}
    """What a result tells the steps behind it."""
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Playbook:
    """All moves known for a server's tools. The first move that gives a condition is the one that fills a gap."""

    server: str
    moves: tuple[Move, ...]
    start: Facts
    """Facts that hold in every session, such as the path of the repository."""

    def tools(self) -> set[str]:
        """The tools that there is a move for."""
        return {move.tool for move in self.moves}


@dataclass(frozen=True)
class Step:
    """A move with its facts."""

    move: Move
    facts: Facts
    ask: str
    """The user's words for it."""


def plan(book: Playbook, chain: Sequence[str], rng: random.Random) -> list[Step]:
    """Steps that use the chain's tools in its order, with those in between that the next one needs.

    Of several moves with the same tool the one is taken that fits what holds, or that prepares the next of the chain.
    """
    holds: set[str] = set()
    moves: list[Move] = []

    def go(move: Move, depth: int = 0) -> None:
        for need in move.needs:
            if need not in holds:
                helper = next(m for m in book.moves if need in m.gives and m is not move)
                assert depth < 8, f"{book.server}: no way to {need!r}"
                go(helper, depth + 1)
        moves.append(move)
        holds.difference_update(move.takes)
        holds.update(move.gives)

    for at, tool in enumerate(chain):
        candidates = [move for move in book.moves if move.tool == tool]
        following = {need for m in book.moves if m.tool in chain[at + 1 : at + 2] for need in m.needs}
        go(max(candidates, key=lambda m: (set(m.needs) <= holds, len(following & set(m.gives)))))

    steps: list[Step] = []
    facts: Facts = dict(book.start)
    for move in moves:
        facts = {**facts, **move.draw(rng, facts)}
        steps.append(Step(move, dict(facts), rng.choice(move.asks).format_map(facts)))
    return steps


def read(text: str) -> Any:
    """A tool's text as data, if it is JSON or a Python literal, else as it is."""
    for reader in (json.loads, literal_eval):
        try:
            return reader(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def failed(result: Any) -> bool:
    """Whether a result is plainly an error."""
    if isinstance(result, Mapping):
        return "error" in result
    openings = ("error", "database error", "input validation error", "no changes staged", "traceback", "ref '")
    return isinstance(result, str) and result.strip().lower().startswith(openings)


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
