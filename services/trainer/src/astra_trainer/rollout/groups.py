"""Groups of episodes to learn from (paper §3.3): drop the ones that teach nothing, and fill the batch with others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev

from astra_trainer.rollout.episodes import Episode, EpisodeRequest

Play = Callable[[Sequence[EpisodeRequest]], Awaitable[list[Episode]]]
SPREAD = 1e-6
"""Least standard deviation of a group's rewards; below it every advantage is zero."""


@dataclass
class Batch:
    """What was played for one update."""

    kept: list[list[Episode]] = field(default_factory=list)
    """Groups with spread. An episode that an env failed stands in its group and must get no weight."""
    first: list[Episode] = field(default_factory=list)
    """All episodes of the arenas that were due, whatever became of them: the honest measure of the policy."""
    dropped: int = 0
    rounds: int = 0
    infra_failures: int = 0

    def metrics(self) -> dict[str, float]:
        """Numbers of the policy as it was before the update."""
        sound = [episode for episode in self.first if not episode.failure]
        if not sound:
            return {"infra_failures": float(self.infra_failures)}
        solved = sum(episode.solved for episode in sound)
        return {
            "reward": fmean(episode.f1 for episode in sound),
            "solved": solved / sum(episode.subtasks for episode in sound),
            "calls_per_solved": sum(episode.calls for episode in sound) / max(1, solved),
            "turns": fmean(episode.turns for episode in sound),
            "length": fmean(len(episode.ids) for episode in sound),
            "groups_kept": float(len(self.kept)),
            "groups_dropped": float(self.dropped),
            "rounds": float(self.rounds),
            "infra_failures": float(self.infra_failures),
        }


async def fill(due: Sequence[str], spare: Sequence[str], group_size: int, rounds: int, play: Play) -> Batch:
    """Play a group for each arena that is due, then for spare ones in place of groups without spread.

    Stops when there are as many groups with spread as arenas were due, when ``rounds`` are played, or when no spare
    arena is left.
    """
    batch, waiting, now = Batch(), list(spare), list(due)
    while now and batch.rounds < rounds:
        requests = [EpisodeRequest(arena_id, seed) for arena_id in now for seed in range(group_size)]
        episodes = await play(requests)
        batch.first = batch.first or episodes
        batch.rounds += 1
        for start in range(0, len(episodes), group_size):
            group = episodes[start : start + group_size]
            batch.infra_failures += sum(bool(episode.failure) for episode in group)
            if _teaches(group):
                batch.kept.append(group)
            else:
                batch.dropped += 1
        missing = len(due) - len(batch.kept)
        now, waiting = waiting[:missing], waiting[missing:]
    return batch


def _teaches(group: Sequence[Episode]) -> bool:
    rewards = [episode.f1 for episode in group if not episode.failure]
    return len(rewards) > 1 and pstdev(rewards) > SPREAD
