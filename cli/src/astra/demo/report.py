"""What came of the demo, for machines, and in one honest sentence."""

import math
import statistics
from collections.abc import Mapping, Sequence

from astra_proto.runs import EvaluationResult
from pydantic import BaseModel

from astra.demo.plan import Plan
from astra.demo.synthesis import Made
from astra.demo.training import Evaluated, Trained


class Arenas(BaseModel):
    """Arenas by what became of them."""

    published: int
    refused: dict[str, int]
    oracle_reward_min: float
    """The least that the golden calls of a published arena earn."""
    held_out_seen: int
    """Held-out arenas whose prompt is also one for training."""


class Trajectories(BaseModel):
    """Trajectories by what became of them."""

    kept: int
    dropped: dict[str, int]
    tool_results: int


class Score(BaseModel):
    """One policy on the held-out arenas."""

    f1: float
    f1_std: float
    """Over arenas, each averaged over the seeds."""
    f1_seed_std: float
    """Over seeds, each averaged over the arenas."""
    solved: float
    calls_per_solved: float | None
    episodes: int
    infra_failures: int
    """Episodes left out because a failure of ours touched them."""
    greedy_f1: float | None
    """Mean F1 of the policy that always takes the likeliest token; the rest is sampled at temperature 1."""


class Gain(BaseModel):
    """How much better one policy is than another, arena by arena."""

    mean: float
    low: float
    high: float
    """The 95 % interval of the mean over arenas."""


class Report(BaseModel):
    """The whole of it."""

    seed: int
    plan: Plan
    servers: list[str]
    tools: int
    arenas: Arenas
    trajectories: Trajectories
    eval: dict[str, Score]
    gains: dict[str, Gain]
    verdict: str
    sft_loss: list[tuple[int, float]]
    rl_reward: list[tuple[int, float]]
    timings_s: dict[str, float]
    wall_s: float


def build(
    plan: Plan,
    made: Made,
    sft: Trained,
    rl: Trained,
    results: Mapping[str, Evaluated],
    timings: Mapping[str, float],
    wall_s: float,
) -> Report:
    """The report of one demo."""
    gains = {
        "sft_over_base": gain(results["sft"].sampled, results["base"].sampled),
        "rl_over_sft": gain(results["rl"].sampled, results["sft"].sampled),
    }
    return Report(
        seed=plan.seed,
        plan=plan,
        servers=made.servers,
        tools=made.tools,
        arenas=Arenas(
            published=len(made.arenas),
            refused=made.refused,
            oracle_reward_min=made.oracle_reward,
            held_out_seen=made.held_out_seen,
        ),
        trajectories=Trajectories(kept=made.kept, dropped=made.dropped, tool_results=made.tool_results),
        eval={name: score(result) for name, result in results.items()},
        gains=gains,
        verdict=verdict(gains, len(plan.eval_seeds), rl.curve),
        sft_loss=sft.curve,
        rl_reward=rl.curve,
        timings_s=dict(timings),
        wall_s=round(wall_s, 1),
    )


def score(result: Evaluated) -> Score:
    """One line of the table."""
    return Score.model_validate(
        {**result.sampled.model_dump(), "greedy_f1": result.greedy.f1 if result.greedy else None}
    )


def gain(better: EvaluationResult, than: EvaluationResult) -> Gain:
    """The paired difference in F1 over the arenas that both have played: mean and 95 % interval."""
    shared = sorted(better.by_arena.keys() & than.by_arena.keys())
    pairs = [(better.by_arena[a], than.by_arena[a]) for a in shared if better.by_arena[a] and than.by_arena[a]]
    differences = [statistics.fmean(b) - statistics.fmean(t) for b, t in pairs]
    if not differences:
        return Gain(mean=0.0, low=0.0, high=0.0)
    mean = statistics.fmean(differences)
    reach = 1.96 * statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    reach = min(reach, 2.0)  # F1 cannot differ by more
    return Gain(mean=mean, low=mean - reach, high=mean + reach)


def verdict(gains: Mapping[str, Gain], seeds: int, reward: Sequence[tuple[int, float]]) -> str:
    """In words: what each stage of training gave, and whether that is more than chance."""
    told = [_told("SFT", "the untrained model", gains["sft_over_base"]), _told("RL", "SFT", gains["rl_over_sft"])]
    if len(reward) >= 4:
        half = len(reward) // 2
        first, last = (statistics.fmean(value for _, value in part) for part in (reward[:half], reward[-half:]))
        told.append(
            f"RL's mean reward went from {first:.3f} in the first half of its steps to {last:.3f} in the second."
        )
    return (
        " ".join(told) + f" The intervals cover held-out arenas, each averaged over {seeds} sampling "
        f"seed{'s' if seeds > 1 else ''}; each stage was trained once, so they do not cover another training run."
    )


def _told(name: str, other: str, gain: Gain) -> str:
    said = f"{name} {'gains' if gain.mean >= 0 else 'loses'} {abs(gain.mean):.3f} F1 against {other}"
    interval = f"(95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
    if gain.low <= 0 <= gain.high:
        return f"{said}, which is inside the noise {interval}."
    return f"{said}, which is more than the noise {interval}."
