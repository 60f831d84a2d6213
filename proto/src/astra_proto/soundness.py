"""The verdict of the soundness gate on an arena, check by check."""

from astra_proto.base import Record


class Check(Record):
    """One property that a sound arena has, and whether this one has it."""

    name: str
    passed: bool
    detail: str
    """What holds; on failure, which sub-task or tool and why."""
    evidence: str = ""
    """What was looked at: how many calls, mutants, answers."""


class SoundnessReport(Record):
    """Every check that was run. Sound only if all of them passed; a check that could not run has failed."""

    sound: bool
    oracle_reward: float
    """What the golden calls earn; 1.0 in a sound arena."""
    checks: list[Check]
    gate: int = 1
    """Version of the gate that gave the report: a later one asks more. Arenas keep the report they were published with.

    1: names, schemas, code, leakage, oracle, null and random agents, determinism, sensitivity, distractors, limits.
    2: also mutants of the code, and code that knows its golden row only.
    3: also stateful arenas: the initial state, and whether the tools use it.
    4: also what code reaches for, answers that can be guessed, the shape, idle arguments, other moments and orders of
    sets, failures and other tools that tell an answer, tables of two rows.
    5: also arguments that can be guessed, answers spelt in names, and of a stateful arena whether each sub-task is
    solved by its own call and waits for none but those that it names.
    6: also tools of a stateful arena that are there twice, and orders of hashes.
    """

    def failures(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]
