"""The offline teacher's part in pipeline A: it writes tasks, plays the agent and grades, all by rule."""

from collections.abc import Callable

from astra_synth_worker.llm.base import Completion, Prompt
from astra_synth_worker.trajectories.offline.agent import agent_turn, write_request
from astra_synth_worker.trajectories.offline.rules import RULES

HANDLERS: dict[str, Callable[[Prompt], Completion]] = {
    "task_for_chain": write_request,
    "task_for_server": write_request,
    "agent_turn": agent_turn,
    **RULES,
}
"""Prompt name to what answers it."""
