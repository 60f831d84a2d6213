"""The gate itself: every check by name, and the report on an arena."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from astra_proto.arenas import ArenaSpec
from astra_proto.envs import ErrorClass
from astra_proto.soundness import Check, SoundnessReport

from astra_env_server.arenas.playable import Playable, playable
from astra_env_server.gate import apart, behaviour, code, leakage, reach, schemas, state, structure, telling
from astra_env_server.gate.bench import TookTooLong
from astra_env_server.gate.evidence import Evidence, Limits
from astra_env_server.gate.gathering import gather
from astra_env_server.gate.seen import SEEN
from astra_env_server.sandbox.base import BundleRejected, Sandbox

log = structlog.get_logger()

Subject = TypeVar("Subject")

READING: Mapping[str, Callable[[ArenaSpec], list[str]]] = {
    "unique_names": schemas.unique_names,
    "schemas": schemas.schemas,
    "code": code.code,
    "constant_code": code.constant_code,
    "clock": reach.clock,
    "reach": reach.reach,
    "leakage": leakage.leakage,
    "guessable": structure.guessable,
    "topology": structure.topology,
    "initial_state": state.initial_state,
}
"""Checks that read the arena. Each gives the problems it found; its docstring begins with what holds without any."""

RUNNING: Mapping[str, Callable[[Evidence], list[str]]] = {
    "oracle": behaviour.oracle,
    "null_agent": behaviour.null_agent,
    "random_agent": behaviour.random_agent,
    "determinism": behaviour.determinism,
    "repeatable": telling.repeatable,
    "sensitivity": behaviour.sensitivity,
    "constant_output": behaviour.constant_output,
    "arguments": telling.arguments,
    "golden_row": behaviour.golden_row,
    "mutants": behaviour.mutants,
    "failures": telling.failures,
    "overlap": telling.overlap,
    "distractors": behaviour.distractors,
    "limits": behaviour.limits,
    "state": apart.state,
}
"""Checks of what the code did when it was run."""

CHECKS = (*READING, *RUNNING)

VERSION = 7
"""Of the gate, told in each report; see ``SoundnessReport.gate``."""

_MOST_TOLD = 8


@dataclass(frozen=True)
class Verdict:
    """The report, and what the golden calls put out (by sub-task id; empty if they were not run)."""

    report: SoundnessReport
    outputs: Mapping[int, str]


def read(spec: ArenaSpec) -> list[Check]:
    """The verdicts of the checks that run nothing."""
    return [_judge(name, check, spec) for name, check in READING.items()]


async def run(arena_id: str, spec: ArenaSpec, sandbox: Sandbox, limits: Limits) -> tuple[list[Check], Evidence | None]:
    """The verdicts of the checks that run the code. Failures of the sandbox are raised: no arena is judged by them."""
    arena: Playable = playable(arena_id, spec)
    try:
        evidence = await gather(arena, sandbox, limits)
    except BundleRejected as error:
        name = "limits" if error.error_class is ErrorClass.TIMEOUT else "code"
        return [Check(name=name, passed=False, detail=f"the code does not import: {error}"[:2_000])], None
    except TookTooLong as error:
        return [Check(name="limits", passed=False, detail=str(error))], None
    judged = (_judge(name, check, evidence) for name, check in RUNNING.items())
    return [check.model_copy(update={"evidence": SEEN[check.name](evidence)[:2_000]}) for check in judged], evidence


def verdict(reading: Iterable[Check], running: Iterable[Check], evidence: Evidence | None) -> Verdict:
    """All checks as one report: sound only if every check there is was reached and passed."""
    checks = [*reading, *running]
    sound = all(check.passed for check in checks) and {check.name for check in checks} == set(CHECKS)
    report = SoundnessReport(
        sound=sound,
        oracle_reward=behaviour.oracle_reward(evidence) if evidence else 0.0,
        checks=checks,
        gate=VERSION,
    )
    return Verdict(report, {i: ran.outcome.output for i, ran in evidence.golden.items()} if evidence else {})


def _judge(name: str, check: Callable[[Subject], list[str]], subject: Subject) -> Check:
    try:
        problems = check(subject)
    except Exception as error:  # a check that cannot run has failed, whatever the arena did to it
        log.warning("gate.check_failed_to_run", check=name, error=repr(error)[:500])
        return Check(
            name=name, passed=False, detail=f"the check could not run: {type(error).__name__}: {error}"[:2_000]
        )
    if not problems:
        return Check(name=name, passed=True, detail=(check.__doc__ or name).strip().splitlines()[0])
    more = [f"and {len(problems) - _MOST_TOLD} more"] if len(problems) > _MOST_TOLD else []
    return Check(name=name, passed=False, detail="; ".join([*problems[:_MOST_TOLD], *more])[:4_000])
