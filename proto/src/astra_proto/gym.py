"""Envs in batches of text, as GEM-like agents and verl-tool's agent loop speak."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from astra_proto.base import Reply, Request

TrajectoryName = Annotated[str, Field(min_length=1, max_length=256)]
ActionText = Annotated[str, Field(max_length=200_000)]


class GetObservations(Request):
    """One action for each of many trajectories; the lists are of one length.

    What else a client sends about a trajectory is for its own tools and is ignored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    trajectory_ids: Annotated[list[TrajectoryName], Field(min_length=1, max_length=4_096)]
    """Names that the client gave, each an env's from its first action to its `finish`; or ids of envs."""
    actions: Annotated[list[ActionText], Field(min_length=1, max_length=4_096)]
    """What the model wrote: tool calls as `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, or one as JSON."""
    finish: list[bool] | None = None
    """True where the trajectory is over: its env is deleted, its action not looked at."""
    extra_fields: list[dict[str, Any]] | None = None
    """Of each trajectory; its first action needs `arena_id` here, and `env` may hold what `POST /envs` takes."""

    @model_validator(mode="after")
    def _one_each(self) -> "GetObservations":
        for name in ("actions", "finish", "extra_fields"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.trajectory_ids):
                raise ValueError(f"`{name}` must have as many entries as `trajectory_ids`")
        return self


class Observations(Reply):
    """What each action led to, in order."""

    observations: list[str | dict[str, Any]]
    """`""` for a finished trajectory, else `obs` (text), `reward`, `reward_valid`, `info`, `invalid_reason`."""
    dones: list[bool]
    valids: list[bool]
    """Whether the action was one that could be taken."""
    processing_time_ms: float
