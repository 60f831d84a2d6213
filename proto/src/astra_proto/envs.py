"""Playing an arena: envs, actions, observations, rewards."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from astra_proto.arenas import Split
from astra_proto.base import Record, Reply, Request
from astra_proto.distractors import BandCounts
from astra_proto.errors import ErrorBody
from astra_proto.ids import ArenaId, EnvId
from astra_proto.messages import Message, ToolMessage, ToolSpec

StepId = Annotated[str, Field(min_length=1, max_length=128)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class RewardMode(StrEnum):
    """When an episode pays."""

    DELTA = "delta"
    """Each step pays the change in the score; the sum over an episode is its score whenever one stops."""
    TERMINAL = "terminal"
    """Nothing until the end, then the score."""


class Score(StrEnum):
    """What an episode pays."""

    F1 = "f1"
    """Both of the others at once (paper §4.2)."""
    RECALL = "recall"
    """What was solved, whatever it cost: for ablation."""
    PRECISION = "precision"
    """How few calls were wasted, whatever was left unsolved: for ablation. A wasted call pays less than nothing."""


class ErrorClass(StrEnum):
    """Whose fault a step's failure is. A trainer learns from the first three only."""

    POLICY = "policy"
    """The agent's: unknown tool, arguments that are no JSON or do not fit."""
    TOOL = "tool"
    """The tool raised."""
    TIMEOUT = "timeout"
    """The tool ran past its time."""
    INFRA = "infra"
    """Ours: a runner was lost. The reward is not valid."""
    CAPACITY = "capacity"
    """Ours: no room. The reward is not valid."""


class Isolation(StrEnum):
    """What keeps tools from the machine, weakest first. Compare with ``at_least``, never as text."""

    LANDLOCK = "landlock"
    """Every session is locked by itself: Landlock, seccomp, resource limits."""
    BUBBLEWRAP = "bubblewrap"
    """The same, in namespaces of their own."""
    DOCKER = "docker"
    """The same, in a container of their own with its own file system and limits."""
    GVISOR = "gvisor"
    """A container on a kernel of its own."""

    def at_least(self, least: "Isolation") -> bool:
        """Whether this keeps tools as well as ``least`` or better."""
        order = list(Isolation)
        return order.index(self) >= order.index(least)


class EnvStatus(StrEnum):
    """Whether an env takes steps."""

    OPEN = "open"
    DONE = "done"
    EXPIRED = "expired"


class CreateEnv(Request):
    """A live instance of an arena."""

    arena_id: ArenaId
    seed: Seed = 0
    max_steps: Annotated[int, Field(ge=1, le=256)] = 32
    ttl_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 900.0
    """Seconds without a call after which the env expires."""
    reward_mode: RewardMode = RewardMode.DELTA
    score: Score = Score.F1
    final_answer: bool = False
    """Count the final answer as one more sub-task: a right one as if solved by one call, a wrong one costs nothing."""
    min_isolation: Isolation | None = None
    """The least isolation that its tools may run in; a server that has less refuses."""
    distractors: BandCounts = BandCounts()
    """Tools of other domains to offer beside the arena's own, drawn from the tool registry by ``seed``. Calling one
    counts as a call and solves nothing. They stay with the env; each reset shuffles all tools by its seed."""


class EnvView(Reply):
    """An env as it stands."""

    id: EnvId
    arena_id: ArenaId
    status: EnvStatus
    seed: int
    steps: int
    max_steps: int
    ttl_s: float
    reward_mode: RewardMode
    score: Score
    final_answer: bool
    isolation: str
    """The tier that its tools run in."""
    distractors: BandCounts
    """How many were drawn."""


class ResetEnv(Request):
    """Begin (again). The log of the episode so far is closed and a new episode begins."""

    seed: Seed | None = None
    options: dict[str, JsonValue] = {}


class Call(Request):
    """One tool call of an action. Arguments are an object, or the JSON text a model wrote."""

    name: Annotated[str, Field(max_length=256)]
    arguments: dict[str, JsonValue] | Annotated[str, Field(max_length=200_000)] = {}
    id: Annotated[str, Field(max_length=128)] | None = None


class Action(Request):
    """What the agent does: calls tools, in order, or says its final answer, which ends the episode.

    With ``tool_calls`` there, ``content`` is what it said beside them, and no final answer.
    """

    tool_calls: Annotated[list[Call], Field(max_length=64)] = []
    content: Annotated[str, Field(max_length=200_000)] | None = None

    @model_validator(mode="after")
    def _does_something(self) -> "Action":
        if not self.tool_calls and self.content is None:
            raise ValueError("an action needs `tool_calls` or `content`")
        return self


class StepEnv(Request):
    """One step. Sent again with the same ``step_id`` it runs nothing and returns the stored reply."""

    action: Action
    step_id: StepId | None = None
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] | None = None
    """Seconds each tool call of this step may take; the server's own limit caps it."""


class BatchItem(StepEnv):
    """One step of a batch."""

    env_id: EnvId


class BatchStep(Request):
    """Steps of many envs. Those of one env are taken in order, those of different envs at the same time."""

    steps: Annotated[list[BatchItem], Field(min_length=1, max_length=1_024)]


class ForkEnv(Request):
    """Where the new env begins."""

    at_step: Annotated[int, Field(ge=0, le=256)] | None = None
    """Steps of the episode that it has behind it: 0 is just after the reset. Without it, all of them."""


class RegradeEnv(Request):
    """How to score; what is left out stays as the env has it."""

    reward_mode: RewardMode | None = None
    score: Score | None = None
    final_answer: bool | None = None


class Observation(Record):
    """What the agent sees next. ``tools`` comes with reset only."""

    messages: list[Message]
    tools: list[ToolSpec] | None = None


class Info(Record):
    """How the episode stands after a step (paper §4.2)."""

    step_index: int
    """Steps taken so far; 0 after a reset."""
    subtasks: int
    """What there is to solve: sub-tasks, and one more where the final answer counts."""
    solved: list[int]
    """Ids of the sub-tasks solved so far."""
    calls: int
    """Tool calls emitted so far, invalid ones included."""
    recall: float
    precision: float
    f1: float
    error_class: ErrorClass | None
    """Of this step: ``infra`` if there was one, else that of the first call that failed."""
    reward_valid: bool
    """False when an infra or capacity failure touched the episode: do not learn from it."""
    reason: Literal["solved", "answered", "max_steps", "infra"] | None
    """Why the episode ended."""


class ResetReply(Reply):
    """The first observation: the prompt and the tools."""

    observation: Observation
    info: Info


class StepReply(Reply):
    """The five of Gymnasium, and ``done = terminated or truncated`` for those who read one flag."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    done: bool
    info: Info


class BatchResult(Reply):
    """What became of one step of a batch: a reply, or the error that the step alone would have met."""

    env_id: str
    status: int
    """The HTTP status that the step alone would have been answered with."""
    reply: StepReply | None
    error: ErrorBody | None


class BatchReply(Reply):
    """One result for each step, in the order in which they were sent."""

    results: list[BatchResult]


class RegradedStep(Record):
    """A step, scored anew."""

    index: int
    given: float
    """The reward that was given."""
    reward: float
    """What it would be given now."""
    info: Info


class RegradeReply(Reply):
    """An episode, scored anew from its log. Nothing was run, nothing was changed."""

    env_id: EnvId
    arena_id: ArenaId
    episode: int
    reward_mode: RewardMode
    score: Score
    final_answer: bool
    given: float
    """The sum of the rewards that were given."""
    reward: float
    """The sum of those that would be now."""
    steps: list[RegradedStep]


class StepRecord(Record):
    """One line of an episode's log."""

    index: int
    step_id: str | None
    action: Action
    results: list[ToolMessage]
    errors: list[ErrorClass | None]
    """One entry a call: null where the tool answered. With ``results`` it is all that scoring looks at."""
    reward: float
    terminated: bool
    truncated: bool
    info: Info


class EpisodeView(Reply):
    """An episode whole: its log from reset to now."""

    env_id: EnvId
    arena_id: ArenaId
    episode: int
    seed: int
    messages: list[Message]
    steps: list[StepRecord]


class PlayedStep(Record):
    """A step as its agent went through it."""

    index: int
    step_id: str | None
    action: Action
    results: list[ToolMessage]
    reward: float
    terminated: bool
    truncated: bool


class PlayedEpisode(Reply):
    """An episode as its agent went through it: what a key of role `agent` gets in place of an `EpisodeView`.

    Left out are the seed, whose fault each failure was, and which sub-tasks are solved.
    """

    env_id: EnvId
    arena_id: ArenaId
    episode: int
    messages: list[Message]
    steps: list[PlayedStep]


class Demonstration(Record):
    """The golden episode of an arena as a conversation: what the soundness gate's oracle run did and saw.

    Sub-tasks of one layer are called in one assistant message; the last message is the final answer. It holds
    answers, so it is for trainers and publishers only.
    """

    arena_id: ArenaId
    split: Split
    tools: list[ToolSpec]
    messages: list[Message]


class Capacity(Reply):
    """How much room there is."""

    isolation: str
    envs: int
    max_envs: int
    runners: int
    max_runners: int


class TierState(Reply):
    """Whether one tier of isolation works on a machine."""

    tier: Isolation
    works: bool
    reason: str | None
    """Why not; null when it works."""


class Tiers(Reply):
    """Every tier of isolation, weakest first, shown by running a tool in it."""

    tiers: list[TierState]


class RunCode(Request):
    """Run tool code in the sandbox without an arena: what synthesis checks its drafts with."""

    code: Annotated[str, Field(min_length=1, max_length=200_000)]
    calls: Annotated[list[Call], Field(min_length=1, max_length=64)]
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 5.0


class CallResult(Record):
    """What one call gave: its output as text, or the class and message of its failure."""

    ok: bool
    output: str
    error_class: ErrorClass | None


class RunCodeReply(Reply):
    """What each call gave, in order."""

    results: list[CallResult]
