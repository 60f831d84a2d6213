"""Adaptive batch filling and scores, on episodes made up for it."""

from collections.abc import Sequence
from random import Random

import pytest
from astra_proto.errors import Conflict
from astra_trainer.rollout.episodes import Episode, EpisodeRequest
from astra_trainer.rollout.groups import Batch, fill
from astra_trainer.rollout.scores import score
from hypothesis import given
from hypothesis import strategies as st


async def played(requests: Sequence[EpisodeRequest]) -> list[Episode]:
    """Arenas called ``flat`` always give 1, others give 0 or 1 by the seed; ``lost`` ones fail."""
    return [
        Episode(
            request,
            f1=1.0 if "flat" in request.arena_id else float(request.seed % 2),
            solved=1,
            subtasks=2,
            calls=3,
            failure="gone" if "lost" in request.arena_id else "",
        )
        for request in requests
    ]


@pytest.mark.anyio
@given(
    st.lists(st.sampled_from(["flat", "good", "lost"]), min_size=1, max_size=6), st.integers(0, 6), st.integers(1, 4)
)
async def test_what_is_kept_teaches_and_no_more_is_played_than_needed(
    kinds: list[str], spare: int, rounds: int
) -> None:
    due = [f"{kind}-{i}" for i, kind in enumerate(kinds)]
    spares = [f"{Random(i).choice(['flat', 'good'])}-s{i}" for i in range(spare)]
    asked: list[str] = []

    async def play(requests: Sequence[EpisodeRequest]) -> list[Episode]:
        asked.extend(dict.fromkeys(r.arena_id for r in requests))
        return await played(requests)

    batch = await fill(due, spares, 4, rounds, play)
    assert all("good" in group[0].request.arena_id for group in batch.kept)
    assert len(batch.kept) <= len(due)
    assert len(batch.first) == 4 * len(due)
    assert len(asked) == len(set(asked)) == len(batch.kept) + batch.dropped
    assert batch.rounds <= rounds
    full = len(batch.kept) == len(due)
    assert full or batch.rounds == rounds or len(asked) == len(due) + spare


def test_metrics_leave_out_what_an_env_failed() -> None:
    good, lost = Episode(EpisodeRequest("a"), f1=1.0, subtasks=1), Episode(EpisodeRequest("b"), failure="gone")
    assert Batch(first=[good, lost]).metrics()["reward"] == 1.0
    assert Batch(first=[lost], infra_failures=1).metrics() == {"infra_failures": 1.0}


def test_a_score_counts_infra_apart() -> None:
    def episode(arena: str, seed: int, f1: float, failure: str = "") -> Episode:
        request = EpisodeRequest(arena, seed)
        return Episode(request, f1=f1, solved=int(f1 > 0), subtasks=1, calls=2, failure=failure)

    episodes = [episode("a", 0, 1.0), episode("a", 1, 0.0), episode("b", 0, 0.5), episode("b", 1, 0.9, "lost")]
    result = score(episodes)
    assert (result.episodes, result.infra_failures) == (3, 1)
    assert result.f1 == 0.5
    assert result.f1_std == 0.0
    assert result.f1_seed_std == pytest.approx(0.75 / 2**0.5)
    assert result.calls_per_solved == 3.0
    assert result.by_arena == {"a": [1.0, 0.0], "b": [0.5]}
    assert result.solved_by_arena == {"a": [1.0, 0.0], "b": [1.0]}
    measured = {arena: (told.episodes, told.solve_rate, told.f1) for arena, told in result.measured().items()}
    assert measured == {"a": (2, 0.5, 0.5), "b": (1, 1.0, 0.5)}
    assert result.model_copy(update={"solved_by_arena": {}}).measured() == {}, "as versions before told it"


def test_nothing_played_is_no_score() -> None:
    with pytest.raises(Conflict, match="gone"):
        score([Episode(EpisodeRequest("a"), failure="gone")])
