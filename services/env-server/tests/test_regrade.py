"""An episode is scored anew from its log, and pays by the score that its env asked for."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
WRONG = ("find_overdue_loan", {"member_id": "M-0000"})


async def regrade(play: Any, **body: Any) -> Json:
    return await play.ok("POST", "/regrade", json=body)  # type: ignore[no-any-return]


async def played(server: Any, library: Json, golden: Any, **options: Any) -> tuple[Any, list[float]]:
    """A wasted call, a call that solves, one that fails, one that solves the rest."""
    play = await server.play(await server.publish(library), **options)
    calls = [WRONG, golden[0], ("no_such_tool", {}), golden[1]]
    return play, [(await play.call(*call))["reward"] for call in calls]


@pytest.mark.parametrize("mode", ["delta", "terminal"])
@pytest.mark.parametrize("score", ["f1", "recall", "precision"])
async def test_what_was_given_is_what_regrading_gives(
    server: Any, library: Json, golden: Any, mode: str, score: str
) -> None:
    play, rewards = await played(server, library, golden, reward_mode=mode, score=score)
    told = await regrade(play)
    assert (told["reward_mode"], told["score"], told["final_answer"]) == (mode, score, False)
    assert [step["given"] for step in told["steps"]] == rewards == [step["reward"] for step in told["steps"]]
    log = (await play.ok("GET", "/trajectory"))["steps"]
    assert [step["info"] for step in told["steps"]] == [step["info"] for step in log]
    assert sum(rewards) == pytest.approx({"f1": 2 * 2 / (2 + 4), "recall": 1.0, "precision": 0.5}[score])
    assert told["reward"] == told["given"] == pytest.approx(sum(rewards))
    if mode == "terminal":
        assert rewards[:3] == [0, 0, 0]


async def test_the_env_tells_what_it_pays(server: Any, library: Json, golden: Any) -> None:
    arena_id = await server.publish(library)
    recall = await server.play(arena_id, score="recall")
    assert (await recall.ok("GET", ""))["score"] == "recall"
    assert [(await recall.call(*call))["reward"] for call in (WRONG, golden[0], WRONG)] == [0, 0.5, 0]
    precision = await server.play(arena_id, score="precision")
    rewards = [(await precision.call(*call))["reward"] for call in (golden[0], WRONG)]
    assert rewards == [1.0, -0.5]
    refused = await server.post("/envs", json={"arena_id": arena_id, "score": "luck"})
    assert refused.status_code == 422


async def test_another_way_to_score_needs_no_new_run(server: Any, library: Json, golden: Any) -> None:
    play, rewards = await played(server, library, golden)
    others = {
        (m, s): (await regrade(play, reward_mode=m, score=s)) for m in ("delta", "terminal") for s in ("f1", "recall")
    }
    assert others["delta", "recall"]["reward"] == others["terminal", "recall"]["reward"] == 1.0
    assert [step["reward"] for step in others["delta", "recall"]["steps"]] == [0, 0.5, 0, 0.5]
    assert [step["reward"] for step in others["terminal", "f1"]["steps"]] == [0, 0, 0, pytest.approx(sum(rewards))]
    with_answer = await regrade(play, final_answer=True)
    assert with_answer["reward"] == pytest.approx(2 * 2 / (3 + 4)), "one more to solve, and it was not"
    assert (await play.ok("GET", ""))["steps"] == 4, "nothing was run"


async def test_the_final_answer_is_judged_again(server: Any, library: Json, golden: Any) -> None:
    play = await server.play(await server.publish(library), final_answer=True)
    await play.call(*golden[0])
    await play.call(*golden[1])
    last = await play.step({"content": "It is 4.2 euros."})
    told = await regrade(play)
    assert told["given"] == told["reward"] == pytest.approx(1.0)
    assert last["done"]
    assert last["reward"] > 0
    assert (await regrade(play, final_answer=False))["reward"] == pytest.approx(1.0)


async def test_an_episode_without_steps_and_one_that_is_unknown(server: Any, library: Json) -> None:
    play = await server.play(await server.publish(library))
    assert (await regrade(play))["steps"] == []
    assert (await server.post(f"/envs/env_{'0' * 32}/regrade", json={})).status_code == 404
    assert (await play.send("POST", "/regrade", json={"score": "luck"})).status_code == 422
