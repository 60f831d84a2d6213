"""The second half of the demo: SFT, RL, and how good each policy is on arenas that none has seen."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from astra_proto.errors import AstraError
from astra_proto.runs import CreateEvaluation, CreateRun, Evaluation, EvaluationResult, MetricPoint, Run, RunStatus
from rich.progress import Progress

from astra.curves import headline
from astra.demo.clients import Clients
from astra.demo.plan import Plan
from astra.demo.story import Bar
from astra.progress import follow_evaluation, follow_run

BASE = "base:scratch"
STOP_S = 5.0
"""How long to wait for the word that a run is being stopped."""


@dataclass(frozen=True)
class Trained:
    """A run and the curve of the number that tells how it went."""

    run: Run
    metric: str
    curve: list[tuple[int, float]]
    """Step and value."""


async def train(clients: Clients, ask: CreateRun, bar: Bar) -> Trained:
    """One training run to its end."""
    kind = ask.config.kind
    seen: list[MetricPoint] = []
    run = await clients.trainer.post("/runs", ask, Run, repeatable=True)

    def changed(now: Run, points: list[MetricPoint]) -> None:
        seen[:] = points
        last = points[-1].values if points else {}
        name = headline(kind, last)
        bar.update(now.step, now.total_steps, f"{name} {last[name]:.3f}" if name in last else str(now.status))

    try:
        run = await follow_run(clients.trainer, run, changed)
    except asyncio.CancelledError:
        # Services that are not ours would train on. A stopped run keeps its checkpoint; its key takes it up again.
        with suppress(AstraError, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await clients.trainer.post(f"/runs/{run.id}/stop", None, Run)
        raise
    if run.status is not RunStatus.DONE:
        raise AstraError(
            f"the {kind} run {run.id} is {run.status}: {run.detail or 'no detail'}. The same command takes it up again."
        )
    name = headline(kind, {name for point in seen for name in point.values})
    curve = [(point.step, point.values[name]) for point in seen if name in point.values]
    bar.end(f"{run.step} steps, {name} {curve[0][1]:.3f} → {curve[-1][1]:.3f}" if curve else f"{run.step} steps")
    return Trained(run=run, metric=name, curve=curve)


@dataclass(frozen=True)
class Evaluated:
    """A policy on the held-out arenas."""

    sampled: EvaluationResult
    """Sampled at temperature 1 with several seeds: what RL trains."""
    greedy: EvaluationResult | None
    """Always the likeliest token; not asked of an untrained model."""


async def evaluate(plan: Plan, clients: Clients, policies: dict[str, str], progress: Progress) -> dict[str, Evaluated]:
    """Each policy on the same held-out arenas with the same seeds. Name to result."""
    bars = {name: Bar(progress, f"evaluate {name}", None) for name in policies}
    results: dict[str, Evaluated] = {}
    for name, policy in policies.items():
        sampled = await _evaluate(clients, plan.evaluation(policy))
        trained = plan.eval_greedy and policy != BASE
        greedy = await _evaluate(clients, plan.evaluation(policy, greedy=True)) if trained else None
        results[name] = Evaluated(sampled=sampled, greedy=greedy)
        bars[name].end(f"mean F1 {sampled.f1:.3f} in {sampled.episodes} episodes")
    return results


async def _evaluate(clients: Clients, ask: CreateEvaluation) -> EvaluationResult:
    evaluation = await clients.trainer.post("/evaluations", ask, Evaluation, repeatable=True)
    evaluation = await follow_evaluation(clients.trainer, evaluation)
    if evaluation.result is None:
        told = evaluation.detail or "no detail"
        raise AstraError(f"the evaluation of {ask.policy} is {evaluation.status}: {told}.")
    return evaluation.result
