"""What a set of episodes amounts to."""

from collections.abc import Sequence
from statistics import fmean, pstdev, stdev

from astra_proto.errors import Conflict
from astra_proto.runs import EvaluationResult

from astra_trainer.rollout.episodes import Episode


def score(episodes: Sequence[Episode]) -> EvaluationResult:
    """Means over arenas and seeds. Episodes that an env failed are left out and counted; Conflict if none is left."""
    sound = [episode for episode in episodes if not episode.failure]
    if not sound:
        raise Conflict(f"no episode could be played to its end: {episodes[0].failure if episodes else 'no arenas'}")
    by_arena: dict[str, list[float]] = {}
    solved_by_arena: dict[str, list[float]] = {}
    by_seed: dict[int, list[float]] = {}
    for episode in sound:
        by_arena.setdefault(episode.request.arena_id, []).append(episode.f1)
        solved_by_arena.setdefault(episode.request.arena_id, []).append(episode.solved / episode.subtasks)
        by_seed.setdefault(episode.request.seed, []).append(episode.f1)
    solved = sum(episode.solved for episode in sound)
    means = [fmean(rewards) for rewards in by_arena.values()]
    return EvaluationResult(
        episodes=len(sound),
        infra_failures=len(episodes) - len(sound),
        f1=fmean(means),
        f1_std=pstdev(means),
        f1_seed_std=stdev(map(fmean, by_seed.values())) if len(by_seed) > 1 else 0.0,
        solved=solved / sum(episode.subtasks for episode in sound),
        calls_per_solved=sum(episode.calls for episode in sound) / solved if solved else None,
        by_arena=by_arena,
        solved_by_arena=solved_by_arena,
    )
