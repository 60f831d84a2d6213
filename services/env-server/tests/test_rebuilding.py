"""An env outlives everything it runs in: what was lost is rebuilt from the log."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import event

from .support import COUNTER, forget, held, kill_runners, total

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def test_an_env_that_is_not_in_memory_is_rebuilt_by_replay(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter), seed=3)
    rewards = []
    for by in (1, 2, 4321):
        await forget(server, play)
        reply = await play.call("count", {"by": by})
        rewards.append(reply["reward"])
    assert total(reply) == 4324
    assert sum(rewards) == pytest.approx(2 / (1 + 3))


async def test_to_rebuild_an_env_its_log_is_read_once(serve: Any, counter: Json) -> None:
    async with serve() as server:
        play = await server.play(await server.publish(counter))
        await play.call("count", {"by": 1}, step_id="one")
        await forget(server, play)
        reads = []
        engine = server.resources.envs._repository._database.engine.sync_engine
        event.listen(
            engine, "before_cursor_execute", lambda *about: reads.append("env_server_steps.record" in about[2])
        )
        assert total(await play.call("count", {"by": 1}, step_id="two")) == 2
        assert sum(reads) == 1


async def test_what_ended_the_session_is_not_replayed(serve: Any, make_arena: Any) -> None:
    code = COUNTER.replace(
        "    global n\n",
        "    global n\n    if str(by) == '7':\n        n = 1_000\n        while True:\n            pass\n"
        "    if by == 9:\n        n += 50\n        raise ValueError('nine')\n",
    )
    async with serve(step_timeout_s=0.5) as server:
        leave = {
            "name": "leave",
            "description": "Ends its process when asked for 8888.",
            "parameters": {"type": "object", "properties": {"by": {"type": "integer"}}, "required": ["by"]},
            "code": "import os\n\n\ndef leave(by):\n    if by == 8888:\n        os._exit(1)\n    return 'stays'\n",
        }
        play = await server.play(await server.publish(make_arena(code, {"by": 4321}, 8642, distractors=[leave])))
        errors = []
        for by in (1, 7, 1, 8888, 9, 1):
            reply = await play.call("leave" if by == 8888 else "count", {"by": by}, timeout_s=0.2)
            errors.append(reply["info"]["error_class"])
            if by in (7, 9):
                await forget(server, play)
        assert errors == [None, "timeout", None, "tool", "tool", None]
        assert total(reply) == 53, "the time-out never happened to the session, the exception did"


async def test_a_session_that_is_killed_is_replayed_and_nobody_notices(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter))
    await play.call("count", {"by": 1})
    kill_runners()
    reply = await play.call("count", {"by": 1})
    assert (total(reply), reply["info"]["error_class"], reply["info"]["reward_valid"]) == (2, None, True)


async def test_a_call_that_loses_its_session_is_made_again_once(serve: Any, make_arena: Any) -> None:
    code = COUNTER.replace("    global n\n", "    global n\n    import time\n    time.sleep(by % 10 / 4)\n")
    async with serve() as server:
        play = await server.play(await server.publish(make_arena(code, {"by": 4320}, 8640)))
        await play.call("count", {"by": 10})
        once = asyncio.create_task(play.call("count", {"by": 5}))
        await asyncio.sleep(1.0)  # the pool has replaced the runner that it gave away
        kill_runners()
        reply = await once
        assert (total(reply), reply["info"]["error_class"], reply["info"]["reward_valid"]) == (15, None, True)

        always = asyncio.create_task(play.call("count", {"by": 9}))
        while not always.done():
            await asyncio.wait([always], timeout=0.1)
            kill_runners()
        reply = await always
        assert (reply["info"]["error_class"], reply["info"]["reward_valid"]) == ("infra", False)
        assert (reply["done"], reply["info"]["reason"]) == (True, "infra")
        await play.reset()
        assert total(await play.call("count", {"by": 10})) == 10


async def test_a_replay_that_differs_ends_the_episode_as_infra(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter))
    lost = await infra_failures(server)
    await play.call("count", {"by": 1})
    # What the runner of this arena has become is another than it was: as if a new server ran another Python.
    episode = held(server, play.env_id).episode
    assert episode is not None
    episode._history[0] = type(episode._history[0])("count", {"by": 1}, '{"total": 5, "double": 2}')
    await episode.close()
    reply = await play.step({"tool_calls": [{"name": "count", "arguments": {"by": 1}}] * 2}, step_id="x")
    assert (reply["truncated"], reply["done"], reply["info"]["reason"]) == (True, True, "infra")
    assert (reply["info"]["error_class"], reply["info"]["reward_valid"]) == ("infra", False)
    assert len(reply["observation"]["messages"]) == 2
    assert reply["info"]["calls"] == 3
    assert await play.step({"tool_calls": [{"name": "count", "arguments": {"by": 1}}] * 2}, step_id="x") == reply
    assert (await play.send("POST", "/step", json={"action": {"content": "?"}})).status_code == 409
    assert await infra_failures(server) == lost + 1


async def infra_failures(server: Any) -> float:
    told = (await server.get("/metrics")).text
    return float(told.split("\nastra_env_infra_failures_total ")[1].split("\n")[0])


async def test_envs_from_before_a_restart_make_room_for_each_other(
    empty_database: str, serve: Any, counter: Json
) -> None:
    async with serve(empty_database, max_envs=6) as server:
        arena_id = await server.publish(counter)
        plays = [await server.play(arena_id) for _ in range(6)]
        for play in plays:
            await play.call("count", {"by": 1})
    async with serve(empty_database, max_envs=2) as server:
        for turn in (2, 3):
            for play in plays:
                play.server = server
                assert total(await play.call("count", {"by": 1})) == turn
        assert (await server.get("/capacity")).json()["envs"] <= 2
