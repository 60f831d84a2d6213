"""Two OpenEnv servers, run by the Python that has OpenEnv: ``uvicorn openenv_apps:echo`` and ``openenv_apps:plain``.

``echo`` has one MCP tool, as most of its environments have; ``plain`` answers its own kind of action, without MCP.
"""

from typing import Any

from fastmcp import FastMCP
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import Action, Observation, State

MOST_SESSIONS = 4_096


class Echo(MCPEnvironment):
    """One tool that gives back what it got."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        server = FastMCP("echo")

        @server.tool
        def echo(message: str) -> str:
            """Give the message back."""
            return message

        super().__init__(server)
        self._state = State(episode_id=None, step_count=0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        self._state = State(episode_id=episode_id, step_count=0)
        return Observation(done=False, reward=0.0)

    async def step_async(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        # The WebSocket route takes this one; the base class calls the tool without a thread in between.
        self._state.step_count += 1
        return await super().step_async(action, timeout_s=timeout_s, **kwargs)

    def _step_impl(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        raise ValueError(f"{type(action).__name__} is no tool call")

    @property
    def state(self) -> State:
        return self._state


class Say(Action):
    """What the plain environment is told."""

    message: str


class Heard(Observation):
    """What it answers."""

    message: str = ""


class Plain(Environment[Say, Heard, State]):
    """Counts its steps and says the message again."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State(episode_id=None, step_count=0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Heard:
        self._state = State(episode_id=episode_id, step_count=0)
        return Heard(done=False, reward=0.0)

    def step(self, action: Say, timeout_s: float | None = None, **kwargs: Any) -> Heard:
        self._state.step_count += 1
        return Heard(done=False, reward=0.0, message=action.message)

    @property
    def state(self) -> State:
        return self._state


echo = create_app(Echo, CallToolAction, CallToolObservation, env_name="echo", max_concurrent_envs=MOST_SESSIONS)
plain = create_app(Plain, Say, Heard, env_name="plain", max_concurrent_envs=MOST_SESSIONS)
