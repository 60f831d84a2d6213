"""The verdicts of chaos and soak can fail: each fault that they are there to find is put before them."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from tests.chaos.arenas import arena, script
from tests.chaos.disturber import KINDS, plan
from tests.chaos.players import Game
from tests.chaos.samples import Sample
from tests.chaos.samples import judge as judge_samples
from tests.chaos.verdict import judge

Json = dict[str, Any]


def games(count: int) -> list[Game]:
    """Played to the end: each reply tells how many calls there were."""
    specs = [arena(number) for number in range(2)]
    played = []
    for number in range(count):
        game = Game(script(number, specs, random.Random(number)), env_id=f"env_{number}")
        for index in range(len(game.script.actions)):
            game.replies.append({"observation": index, "reward": 0.1, "info": {"reward_valid": True}})
        played.append(game)
    return played


def logs(played: list[Game]) -> dict[str, list[Json]]:
    return {game.env_id: [{"step_id": f"step-{index}"} for index in range(len(game.replies))] for game in played}


def test_what_is_as_it_should_be_passes() -> None:
    calm = games(5)
    verdict = judge(copy.deepcopy(calm), calm, logs(calm))
    assert (verdict.episodes, verdict.wrong_reward, verdict.double_steps, verdict.differences) == (5, 0, 0, [])


def _counts_twice(game: Game, log: list[Json]) -> None:
    game.replies[2]["observation"] += 1


def _logged_twice(game: Game, log: list[Json]) -> None:
    log.insert(2, log[2])


def _not_logged(game: Game, log: list[Json]) -> None:
    del log[1]


@pytest.mark.parametrize("fault", [_counts_twice, _logged_twice, _not_logged])
def test_a_step_that_was_taken_twice_or_lost_shows(fault: Callable[[Game, list[Json]], None]) -> None:
    calm = games(3)
    played, log = copy.deepcopy(calm), logs(calm)
    fault(played[1], log["env_1"])
    verdict = judge(played, calm, log)
    assert (verdict.wrong_reward, verdict.double_steps) == (0, 1)
    assert "env_1" in verdict.differences[0]


def _pays_less(game: Game) -> None:
    game.replies[0]["reward"] = 0.0


def _does_not_count(game: Game) -> None:
    game.replies[-1]["info"]["reward_valid"] = False


def _gave_up(game: Game) -> None:
    game.why = "was not answered"


def _is_not_over(game: Game) -> None:
    game.replies.pop()


@pytest.mark.parametrize("fault", [_pays_less, _does_not_count, _gave_up, _is_not_over])
def test_a_wrong_reward_shows(fault: Callable[[Game], None]) -> None:
    calm = games(3)
    played = copy.deepcopy(calm)
    fault(played[2])
    assert judge(played, calm, logs(played)).wrong_reward == 1


def test_the_plan_is_the_seeds_and_has_every_kind() -> None:
    assert list(islice(plan(3, 1.0), 30)) == list(islice(plan(3, 1.0), 30))
    assert list(islice(plan(3, 1.0), 30)) != list(islice(plan(4, 1.0), 30))
    assert {blow.kind for blow in islice(plan(3, 1.0), 10)} == set(KINDS)


SAMPLE = Sample(0.0, 200.0, 900.0, 400, 12, 300, 256, 0, 4.0, 20.0)


def test_a_flat_soak_is_flat_and_a_leak_is_not() -> None:
    draw = random.Random(1)
    noisy = [replace(SAMPLE, at_s=n * 10.0, rss_mib=200 + draw.uniform(-4, 4)) for n in range(60)]
    assert all(one.flat for one in judge_samples(noisy).values())
    for name, per_sample in (("rss_mib", 1.0), ("fds", 1), ("threads", 1), ("processes", 1), ("p99_ms", 2.0)):
        leaking = [replace(one, **{name: getattr(SAMPLE, name) + n * per_sample}) for n, one in enumerate(noisy)]
        assert [key for key, one in judge_samples(leaking).items() if not one.flat] == [name]
    with pytest.raises(ValueError, match="soak for longer"):
        judge_samples(noisy[:5])
