"""Compares what was played under fire with what an undisturbed run gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.arenas import Json
from tests.chaos.players import Game


@dataclass
class Verdict:
    """How many went wrong, and the first few of them in words."""

    episodes: int = 0
    wrong_reward: int = 0
    double_steps: int = 0
    """Steps whose reply is not the undisturbed one's, or that the log has twice or not at all."""
    differences: list[str] = field(default_factory=list)

    def add(self, told: str) -> None:
        """Keep an example."""
        if len(self.differences) < 20:
            self.differences.append(told[:1_000])


def reward(replies: Sequence[Json]) -> float:
    """What an episode earned; not a number if a step of it says that its reward is not valid."""
    if not all(reply["info"]["reward_valid"] for reply in replies):
        return math.nan
    return math.fsum(reply["reward"] for reply in replies)


def judge(games: Sequence[Game], calm: Sequence[Game], logs: Mapping[str, Sequence[Json]]) -> Verdict:
    """``calm``: the same scripts, undisturbed. ``logs``: of each env, the steps of its trajectory."""
    verdict = Verdict(episodes=len(games))
    for game, model in zip(games, calm, strict=True):
        name = f"episode {game.script.number} ({game.env_id})"
        if game.why or not game.over or reward(game.replies) != reward(model.replies):
            verdict.wrong_reward += 1
            verdict.add(f"{name}: reward {reward(game.replies)} instead of {reward(model.replies)} {game.why}")
        for index, (got, expected) in enumerate(zip(game.replies, model.replies, strict=False)):
            if got != expected:
                verdict.double_steps += 1
                verdict.add(f"{name}, step {index}: {got} instead of {expected}")
        named = [step["step_id"] for step in logs.get(game.env_id, ())]
        if named != [f"step-{index}" for index in range(len(game.replies))]:
            verdict.double_steps += 1
            verdict.add(f"{name}: its log has the steps {named}")
    return verdict
