"""Training runs and evaluations."""

from datetime import datetime
from enum import StrEnum
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import Field

from astra_proto.arenas import Split
from astra_proto.base import Record, Reply, Request
from astra_proto.distractors import BandCounts
from astra_proto.ids import ArenaId, Key, RunId
from astra_proto.messages import Message, ToolSpec
from astra_proto.solve_rates import Measured, PolicyName


class RunStatus(StrEnum):
    """How far a run or an evaluation is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class SFTConfig(Request):
    """Supervised fine-tuning on trajectories and on golden episodes of arenas; loss on assistant tokens only."""

    kind: Literal["sft"] = "sft"
    base: str = "scratch"
    """``scratch`` (a small model with a tokenizer of its own), or the id of an earlier run."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    max_steps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=4_096)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 4e-3


class RLConfig(Request):
    """Group-relative policy optimisation against live envs (paper §3.3): no KL, no entropy, token-level loss."""

    kind: Literal["rl"] = "rl"
    base: str
    """The id of the run to start from."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    max_steps: Annotated[int, Field(ge=1, le=100_000)] = 20
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    groups: Annotated[int, Field(ge=1, le=1_024)] = 16
    """Arenas a step."""
    group_size: Annotated[int, Field(ge=2, le=128)] = 8
    """Episodes an arena."""
    split: Literal[Split.TRAIN, Split.VALIDATION] = Split.TRAIN
    """Which arenas to practise in. SFT has seen those of ``train``, and a policy does better there than elsewhere;
    those of ``validation`` are as new to it as the ones that it is judged by."""
    arenas: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Arenas to practise in, drawn by the seed; null for all. Fewer come round more often in a short run."""
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 8e-4
    temperature: Annotated[float, Field(gt=0, le=5, allow_inf_nan=False)] = 1.0
    max_turns: Annotated[int, Field(ge=1, le=64)] = 8
    max_new_tokens: Annotated[int, Field(ge=8, le=8_192)] = 96
    """Tokens a turn."""
    distractors: BandCounts = BandCounts()
    """Tools of other domains that each env offers beside its own (paper §4.3); none unless asked for."""


RunConfig = Annotated[SFTConfig | RLConfig, Field(discriminator="kind")]


class CreateRun(Request):
    """Train once. The same key again returns the run that is there, and takes it up again if it was cut off."""

    key: Key
    config: RunConfig


class Run(Reply):
    """A training run as it stands."""

    id: RunId
    key: Key
    config: RunConfig
    status: RunStatus
    step: int
    total_steps: int | None
    detail: str
    """Why it failed; empty otherwise."""
    created_at: datetime
    finished_at: datetime | None


class MetricPoint(Record):
    """The numbers a run logged at one step."""

    step: int
    values: dict[str, float]


class CreateEvaluation(Request):
    """Play arenas with a policy and score it."""

    key: Key
    policy: str
    """The id of a run, or ``base:scratch`` for the untrained model that SFT starts from."""
    split: Split = Split.TEST
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=32)] = [0]
    temperature: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)] = 0.0
    max_turns: Annotated[int, Field(ge=1, le=64)] = 8
    max_new_tokens: Annotated[int, Field(ge=8, le=8_192)] = 96
    distractors: BandCounts = BandCounts()
    """Tools of other domains that each env offers beside its own; none unless asked for."""
    name: PolicyName | None = None
    """What the policy is called among the solve rates of the arenas. Null for a name that tells the kind and the id of
    the run, and what was asked for beside its likeliest use: ``rl:0f3c9a12``, ``base:scratch greedy``."""


class EvaluationResult(Record):
    """Means over arenas and seeds; episodes touched by an infra failure are left out and counted."""

    episodes: int
    infra_failures: int
    f1: float
    f1_std: float
    """Standard deviation of the arenas' F1, each averaged over the seeds."""
    f1_seed_std: float
    """Standard deviation over the seeds of the mean F1; 0 with one seed."""
    solved: float
    """Share of sub-tasks solved."""
    calls_per_solved: float | None
    """Tool calls per solved sub-task; null when none was solved."""
    by_arena: dict[str, list[float]]
    """Arena id to the F1 under each seed."""
    solved_by_arena: dict[str, list[float]] = {}
    """Arena id to the share of sub-tasks solved under each seed. Empty in results of versions that did not tell."""

    def measured(self) -> dict[ArenaId, Measured]:
        """What the policy reached in each arena; empty in results of versions that did not tell."""
        return {
            arena_id: Measured(
                episodes=len(shares),
                solve_rate=fmean(share == 1 for share in shares),
                f1=fmean(self.by_arena[arena_id]),
            )
            for arena_id, shares in self.solved_by_arena.items()
        }


class Evaluation(Reply):
    """An evaluation as it stands."""

    id: str
    key: Key
    request: CreateEvaluation
    status: RunStatus
    result: EvaluationResult | None
    detail: str
    created_at: datetime
    finished_at: datetime | None


class SFTRow(Record):
    """One conversation to imitate. Loss is on what the assistant wrote, and on nothing else."""

    schema_version: Literal[1] = 1
    source: str
    """The id of the arena whose golden episode it is, or of the trajectory."""
    split: Split
    redraw: bool
    """Whether its values are made up, so that training may put others in their place."""
    tools: list[ToolSpec]
    messages: list[Message]


class RLPrompt(Record):
    """One arena to practise in."""

    schema_version: Literal[1] = 1
    arena_id: ArenaId
    split: Split
    domain: str
    prompt: str
    tools: list[ToolSpec]


class RunManifest(Record):
    """What a run was made with, written beside its checkpoints."""

    schema_version: Literal[1] = 1
    run_id: RunId
    config: RunConfig
    versions: dict[str, str]
    data: dict[str, Any]
