"""What each check of behaviour looked at, in a few words for the report. The same arena gives the same words."""

from collections.abc import Callable, Mapping

from astra_env_server.gate.evidence import Evidence
from astra_env_server.scoring.f1 import Scorer


def _golden(evidence: Evidence) -> str:
    return f"{len(evidence.golden)} golden calls"


def _repeated(evidence: Evidence) -> str:
    return f"{len(evidence.golden)} golden calls, each made twice"


def _shown(evidence: Evidence) -> str:
    return "an answer that repeats the prompt and every schema"


def _random(evidence: Evidence) -> str:
    scorer = Scorer(evidence.spec)
    for run in evidence.random:
        run.count(scorer)
    return f"{len(evidence.random)} random calls earn {scorer.tally.f1:.2f}"


def _changed(evidence: Evidence) -> str:
    return (
        f"{sum(map(len, evidence.perturbed.values()))} golden calls with changed arguments, "
        f"{sum(map(len, evidence.vague.values()))} with one left out"
    )


def _other_answers(evidence: Evidence) -> str:
    return "; ".join(
        f"{name}: {count} other answer{'' if count == 1 else 's'}"
        for name, count in ((name, evidence.other_answers(name)) for name in evidence.told_apart)
    )


def _mutants(evidence: Evidence) -> str:
    scores = evidence.mutants.items()
    return "; ".join(f"{name}: {score.killed} of {score.reached} mutants caught" for name, score in scores)


def _distractors(evidence: Evidence) -> str:
    runs = evidence.distractors.values()
    return f"{sum(map(len, runs))} calls of {len(runs)} distractors"


def _limits(evidence: Evidence) -> str:
    calls = list(evidence.everything())
    largest = max((len(run.outcome.output.encode()) for run in calls), default=0)
    return f"{len(calls)} calls, the largest output {largest} bytes"


def _state(evidence: Evidence) -> str:
    if evidence.spec.state is None:
        return "a stateless arena"
    changed = sum(run.outcome.state is not None for run in evidence.golden.values())
    return (
        f"{changed} of {len(evidence.golden)} golden calls change the state; {len(evidence.elsewhere)} in another one; "
        f"{sum(map(len, evidence.without.values()))} without one of those before"
    )


def _once_more(evidence: Evidence) -> str:
    again = sum(map(len, evidence.later.values()))
    return f"{again} golden calls among others, and each at two other times with other chance and sets reversed"


def _single(evidence: Evidence) -> str:
    tried = [runs for by_argument in evidence.single.values() for runs in by_argument.values()]
    blind = sum(len(runs) for by_argument in evidence.blind.values() for runs in by_argument.values())
    return (
        f"{sum(map(len, tried))} golden calls with one of {len(tried)} arguments changed, {blind} with one that nobody "
        "would choose"
    )


def _failed(evidence: Evidence) -> str:
    return f"{sum(not run.outcome.ok for run in evidence.everything())} calls that failed"


def _of_others(evidence: Evidence) -> str:
    shifted = f", {len(evidence.shifted)} in states without an answer" if evidence.spec.state is not None else ""
    return f"{sum(map(len, evidence.others.values()))} calls with the arguments of other tools{shifted}"


SEEN: Mapping[str, Callable[[Evidence], str]] = {
    "oracle": _golden,
    "null_agent": _shown,
    "random_agent": _random,
    "determinism": _repeated,
    "repeatable": _once_more,
    "sensitivity": _changed,
    "constant_output": _changed,
    "arguments": _single,
    "golden_row": _other_answers,
    "mutants": _mutants,
    "failures": _failed,
    "overlap": _of_others,
    "distractors": _distractors,
    "limits": _limits,
    "state": _state,
}
"""By check."""
