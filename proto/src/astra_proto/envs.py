"""What is asked of an env: to be made, to begin, to take steps; and what it is."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, JsonValue, model_validator
from pydantic_core import CoreSchema

from astra_proto.base import Reply, Request
from astra_proto.distractors import BandCounts
from astra_proto.ids import ArenaId, EnvId
from astra_proto.tiers import Isolation

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
    """Seconds without a call after which the env expires, at most a sixteenth of it late."""
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
    created_at: datetime
    expires_at: datetime
    """When its time is over if nothing is asked of it until then."""


class ResetEnv(Request):
    """Begin (again). The log of the episode so far is closed and a new episode begins."""

    seed: Seed | None = None
    options: dict[str, JsonValue] = {}


class Call(Request):
    """One tool call of an action. Arguments are an object, or the JSON text a model wrote.

    Also taken as it stands in the message of a chat model:
    ``{"id": …, "type": "function", "function": {"name": …, "arguments": …}}``.
    """

    name: Annotated[str, Field(max_length=256)]
    arguments: dict[str, JsonValue] | Annotated[str, Field(max_length=200_000)] = {}
    id: Annotated[str, Field(max_length=128)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_chat_model(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(function := given.get("function"), dict):
            return given
        if given.get("type", "function") != "function" or given.keys() & function.keys():
            return given
        return {**{key: value for key, value in given.items() if key not in ("type", "function")}, **function}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        if handler.mode == "validation":
            plain = handler.resolve_ref_schema(schema)
            flat = {key: plain.pop(key) for key in ("properties", "required", "type", "additionalProperties")}
            own = {key: flat["properties"][key] for key in ("name", "arguments")}
            written = {
                "id": flat["properties"]["id"],
                "type": {"const": "function", "type": "string"},
                "function": flat | {"properties": own},
            }
            plain["anyOf"] = [flat, flat | {"properties": written, "required": ["function"]}]
        return schema


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
