"""An arena: one publishable RL environment, immutable and named by the hash of its content."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from astra_proto.base import Record, Reply
from astra_proto.ids import ArenaId, ToolName, canonical_json, content_id
from astra_proto.messages import FunctionSpec, ToolSpec
from astra_proto.solve_rates import SolveRates
from astra_proto.soundness import SoundnessReport
from astra_proto.state import State, pointer_tokens

Code = Annotated[str, Field(min_length=1, max_length=200_000)]
Text = Annotated[str, Field(min_length=1, max_length=50_000)]

MAX_ANSWER = 2_000
"""Longest reference answer, as characters of JSON."""


class Split(StrEnum):
    """Which use an arena is for. A question and its near doubles are on one side."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Topology(StrEnum):
    """The shape of a decomposition (paper §3.1)."""

    SINGLE_HOP = "single_hop"
    PARALLEL_SINGLE_HOP = "parallel_single_hop"
    MULTI_HOP = "multi_hop"
    PARALLEL_MULTI_HOP = "parallel_multi_hop"


class Answer(Record):
    """A reference answer: any JSON value, compared by its type and never by bare substring."""

    value: JsonValue
    """Text, number, list or record. ``"5"`` as text is still matched as the number 5."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How far a number may be off, absolutely."""

    @field_validator("value")
    @classmethod
    def _says_something(cls, value: JsonValue) -> JsonValue:
        if value is None or value == "" or value == [] or value == {}:
            raise ValueError("an empty answer would be matched by any output: give the value the tool must return")
        if (size := len(canonical_json(value))) > MAX_ANSWER:
            raise ValueError(f"an answer of {size} characters of JSON: ask for less, {MAX_ANSWER} at most")
        return value


class GoldenCall(Record):
    """The call that solves a sub-task."""

    name: ToolName
    arguments: dict[str, JsonValue]


class ArenaTool(Record):
    """A tool an agent may call, and the Python that runs it: stdlib only, defining a function of this name."""

    name: ToolName
    description: Text
    parameters: dict[str, Any]
    """JSON Schema of an object."""
    code: Code

    def spec(self) -> ToolSpec:
        """The tool as a model sees it: no code."""
        return ToolSpec(function=FunctionSpec(name=self.name, description=self.description, parameters=self.parameters))


def absent(value: object) -> bool:
    """What a stateless arena does not have is not written either: its content, hence its id, is as if it never was."""
    return value is None


class SubTask(Record):
    """One sub-question of the arena: solved once, by a call to its own tool whose output holds its answer.

    With a ``state_path`` it is an end-state check instead: solved while the state has its answer at that place.
    """

    id: Annotated[int, Field(ge=0)]
    question: Text
    tool: ToolName
    answer: Answer
    golden_call: GoldenCall
    depends_on: list[int] = []
    """Ids of sub-tasks whose answers this one needs."""
    state_path: str | None = Field(default=None, exclude_if=absent)
    """JSON Pointer (RFC 6901) into the state of a stateful arena. What is there must equal ``answer``, type and all; it
    is solved whichever call brought that about, and unsolved again when a later one undoes it. ``golden_call`` is the
    call that brings it about."""

    @field_validator("state_path")
    @classmethod
    def _is_a_pointer(cls, path: str | None) -> str | None:
        if path is not None:
            pointer_tokens(path)
        return path


class Provenance(Record):
    """How the arena came to be."""

    teacher: str
    """``offline`` or the name of the model."""
    source: str = ""
    """The question or the world it was made from."""
    seed: int | None = None
    tries: int = 1
    prompts: dict[str, str] = {}
    """Prompt name to the hash of its template."""
    llm_calls: int = 0
    tokens: int = 0
    sandbox_runs: int = 0
    """Golden calls of drafts that were run."""
    refused: dict[str, int] = {}
    """Reason to number of drafts that were refused on the way."""
    scores: dict[str, float] = {}
    """What each judge gave the trace, from 0 to 1 (paper §3.2.2)."""


class ArenaSpec(Record):
    """What a publisher sends: the arena itself, all of it."""

    schema_version: Literal[1] = 1
    domain: Annotated[str, Field(min_length=1, max_length=100)]
    language: Literal["en", "zh"] = "en"
    topology: Topology
    split: Split
    prompt: Text
    """What the agent is asked, background included."""
    tools: Annotated[list[ArenaTool], Field(min_length=1, max_length=64)]
    subtasks: Annotated[list[SubTask], Field(min_length=1, max_length=64)]
    distractors: Annotated[list[ArenaTool], Field(max_length=64)] = []
    """Tools that solve nothing; calling one counts as a call."""
    final_answer: Answer | None = None
    state: State | None = Field(default=None, exclude_if=absent)
    """What an episode of a stateful arena begins with: records that its tools read and change. Each function takes it
    as its first parameter, named ``state``, which is not in its schema. None: a stateless arena."""
    provenance: Provenance

    @model_validator(mode="after")
    def _holds_together(self) -> "ArenaSpec":
        names = [tool.name for tool in (*self.tools, *self.distractors)]
        if doubles := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"tools: names must be unique, these are not: {doubles}")
        own = {tool.name for tool in self.tools}
        seen: set[int] = set()
        for task in self.subtasks:
            where = f"subtasks[id={task.id}]"
            if task.id in seen:
                raise ValueError(f"{where}.id: used twice")
            if task.tool not in own:
                raise ValueError(f"{where}.tool: {task.tool!r} is not among tools {sorted(own)}")
            if task.golden_call.name != task.tool:
                raise ValueError(f"{where}.golden_call.name: must be the sub-task's own tool {task.tool!r}")
            if late := [d for d in task.depends_on if d not in seen]:
                raise ValueError(f"{where}.depends_on: {late} do not come earlier in the list")
            if task.state_path is not None and self.state is None:
                raise ValueError(f"{where}.state_path: the arena has no `state` to look into: give it one, or leave it")
            seen.add(task.id)
        return self

    def id(self) -> str:
        """The arena's name: a hash of everything but its split and its provenance."""
        return content_id("ar", self.model_dump(mode="json", exclude={"provenance", "split"}))


class Arena(Record):
    """A published arena, whole: only those who may see answers get it."""

    id: ArenaId
    spec: ArenaSpec
    soundness: SoundnessReport
    solve_rates: SolveRates = {}
    """What policies reached in it. Not part of what is published: it is not in an exported file."""


class ArenaView(Reply):
    """A published arena as an agent may see it: no code, no answers, no golden calls."""

    id: ArenaId
    domain: str
    language: str
    topology: Topology
    split: Split
    prompt: str
    tools: list[ToolSpec]
    subtask_count: int
    hops: int
    """Layers of sub-tasks: how many calls must follow one another, at least."""
    sound: bool
    teacher: str
    stateful: bool = False
    """Whether its tools share a state that calls change. Views from before there were such arenas do not say."""
    solve_rates: SolveRates = {}
    """What policies reached in it; empty where none was measured."""


class PublishReply(Reply):
    """The published arena. ``created`` is false when the same content was there already."""

    id: ArenaId
    created: bool
    soundness: SoundnessReport
