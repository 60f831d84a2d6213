"""A step happens once, however often it is sent; an env outlives everything it runs in."""

import asyncio
import contextlib
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psutil
import pytest
from astra_env_server.envs.live import LiveEnv

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Calls = list[tuple[str, Json]]

COUNTER = "n = 0\n\n\ndef count(by):\n    global n\n    n += by\n    return {'total': n, 'double': by * 2}\n"


@pytest.fixture
def counter(make_arena: Any) -> Json:
    """An arena whose tool remembers: run twice, a call shows."""
    return make_arena(COUNTER, {"by": 4321}, 8642)  # type: ignore[no-any-return]


def total(reply: Json) -> int:
    return int(reply["observation"]["messages"][0]["content"].split('"total": ')[1].split(",")[0])


async def forget(server: Any, play: Any) -> None:
    """Let the server lose all it holds of an env but its log."""
    await server.resources.envs.close()
    assert play.env_id not in server.resources.envs._live


def held(server: Any, play: Any) -> LiveEnv:
    found: LiveEnv = server.resources.envs._live._envs[play.env_id]
    return found


def later(server: Any, seconds: float) -> None:
    """Put the clock of a server's envs forward."""
    server.resources.envs._now = lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def kill_runners() -> None:
    """Every process of the sandboxes of this process, at once; other tests' services are its children too."""
    doomed: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "inside" in child.cmdline():
                doomed += [child, *child.children(recursive=True)]
    # Stopped first: a warden that sees its zygote die while it still lives would blame the code.
    for sign in (signal.SIGSTOP, signal.SIGKILL):
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(sign)


async def test_the_same_step_id_gives_the_same_bytes_and_runs_nothing(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter))
    body = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 1}}]}, "step_id": "one"}
    first = await play.send("POST", "/step", json=body)
    again = await play.send("POST", "/step", json=body)
    assert first.content == again.content
    assert total(await play.call("count", {"by": 1})) == 2
    await forget(server, play)
    assert (await play.send("POST", "/step", json=body)).content == first.content
    assert total(await play.call("count", {"by": 1})) == 3


async def test_a_retry_while_the_first_still_runs_waits_for_it(serve: Any, make_arena: Any) -> None:
    code = COUNTER.replace("    global n\n", "    global n\n    import time\n    time.sleep(0.2)\n")
    async with serve() as server:
        play = await server.play(await server.publish(make_arena(code, {"by": 4321}, 8642)))
        body = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 1}}]}, "step_id": "one"}
        replies = await asyncio.gather(*(play.send("POST", "/step", json=body) for _ in range(5)))
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 1
        assert (await play.ok("GET", ""))["steps"] == 1


async def test_the_same_step_id_for_another_action_is_a_conflict(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter))
    await play.call("count", {"by": 1}, step_id="one")
    for _ in range(2):
        other = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 2}}]}, "step_id": "one"}
        reply = await play.send("POST", "/step", json=other)
        assert (reply.status_code, reply.json()["error"]) == (409, "Conflict")
        await forget(server, play)
    assert (await play.ok("GET", ""))["steps"] == 1


async def test_the_last_step_can_be_asked_for_again(server: Any, library: Json, golden: Calls) -> None:
    play = await server.play(await server.publish(library))
    await play.call(*golden[0])
    last = await play.call(*golden[1], step_id="last")
    assert last["done"]
    assert await play.call(*golden[1], step_id="last") == last


async def test_steps_sent_at_once_are_taken_one_after_the_other(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter))
    replies = await asyncio.gather(*(play.call("count", {"by": 1}) for _ in range(8)))
    assert sorted(total(reply) for reply in replies) == list(range(1, 9))
    assert [s["index"] for s in (await play.ok("GET", "/trajectory"))["steps"]] == list(range(1, 9))


async def test_an_env_that_is_not_in_memory_is_rebuilt_by_replay(server: Any, counter: Json) -> None:
    play = await server.play(await server.publish(counter), seed=3)
    rewards = []
    for by in (1, 2, 4321):
        await forget(server, play)
        reply = await play.call("count", {"by": by})
        rewards.append(reply["reward"])
    assert total(reply) == 4324
    assert sum(rewards) == pytest.approx(2 / (1 + 3))


async def test_what_ended_the_session_is_not_replayed(serve: Any, make_arena: Any) -> None:
    code = COUNTER.replace(
        "    global n\n",
        "    global n\n    if by == 7:\n        n = 1_000\n        while True:\n            pass\n"
        "    if by == 8:\n        import os\n        os._exit(1)\n"
        "    if by == 9:\n        n += 50\n        raise ValueError('nine')\n",
    )
    async with serve(step_timeout_s=0.5) as server:
        play = await server.play(await server.publish(make_arena(code, {"by": 4321}, 8642)))
        errors = []
        for by in (1, 7, 1, 8, 9, 1):
            reply = await play.call("count", {"by": by}, timeout_s=0.2)
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
    await play.call("count", {"by": 1})
    # What the runner of this arena has become is another than it was: as if a new server ran another Python.
    episode = held(server, play).episode
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
    assert "astra_env_infra_failures_total 1.0" in (await server.get("/metrics")).text


async def test_two_servers_on_one_database_take_turns(
    empty_database: str, serve: Any, counter: Json, library: Json
) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        play = await one.play(await one.publish(counter))
        other = type(play)(two, play.env_id)
        for turn, player in enumerate((play, other, play, play, other), start=1):
            assert total(await player.call("count", {"by": 1}, step_id=str(turn))) == turn
        assert await play.call("count", {"by": 1}, step_id="5") == await other.call("count", {"by": 1}, step_id="5")
        await other.reset()
        assert total(await play.call("count", {"by": 1})) == 1
        at_once = await asyncio.gather(*(p.call("count", {"by": 1}) for p in (play, other)))
        assert sorted(map(total, at_once)) == [2, 3]


async def test_a_full_server_says_when_to_try_again(serve: Any, library: Json) -> None:
    async with serve(max_envs=2) as server:
        arena_id = await server.publish(library)
        plays = [await server.play(arena_id) for _ in range(2)]
        full = await server.post("/envs", json={"arena_id": arena_id})
        assert (full.status_code, full.json()["error"]) == (429, "CapacityReached")
        assert int(full.headers["Retry-After"]) >= 1
        assert (await server.get("/capacity")).json()["envs"] == 2
        await plays[0].step({"content": "done"})
        assert (await server.post("/envs", json={"arena_id": arena_id})).status_code == 201
        again = await plays[0].send("POST", "/reset", json={})
        assert again.status_code == 429, "to begin again takes room too"


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


async def test_an_idle_env_expires(serve: Any, counter: Json) -> None:
    async with serve(reaper_period_s=0.05) as server:
        arena_id = await server.publish(counter)
        kept = await server.play(arena_id)
        play = await server.play(arena_id, ttl_s=60)
        await play.call("count", {"by": 1})
        later(server, 61)
        while (await server.get("/capacity")).json()["envs"] > 1:  # noqa: ASYNC110 the reaper rings no bell
            await asyncio.sleep(0.05)
        for path, body in (("/step", {"action": {"content": "?"}}), ("/reset", {})):
            gone = await play.send("POST", path, json=body)
            assert (gone.status_code, gone.json()["error"]) == (410, "Gone")
        assert (await play.ok("GET", ""))["status"] == "expired"
        assert len((await play.ok("GET", "/trajectory"))["steps"]) == 1
        assert total(await kept.call("count", {"by": 1})) == 1
        assert (await play.send("DELETE", "")).status_code == 204


async def test_expiry_does_not_wait_for_the_reaper(serve: Any, counter: Json) -> None:
    async with serve() as server:
        play = await server.play(await server.publish(counter), ttl_s=60)
        later(server, 61)
        assert (await play.send("POST", "/step", json={"action": {"content": "?"}})).status_code == 410
        assert (await server.get("/capacity")).json()["envs"] == 0


async def test_envs_end_with_their_processes(serve: Any, counter: Json) -> None:
    async with serve() as server:
        arena_id = await server.publish(counter)
        before = await _sessions(server)
        plays = [await server.play(arena_id) for _ in range(5)]
        assert await _sessions(server) == before + 5
        for play in plays[:3]:
            await play.send("DELETE", "")
        await plays[3].step({"content": "done"})
        await plays[4].reset()
        assert await _sessions(server) == before + 1


async def _sessions(server: Any) -> int:
    return int((await server.resources.envs._sandbox.stats()).sessions)


async def test_a_step_before_the_first_reset_is_a_conflict(server: Any, counter: Json) -> None:
    reply = await server.post("/envs", json={"arena_id": await server.publish(counter)})
    path = f"/envs/{reply.json()['id']}"
    early = await server.post(f"{path}/step", json={"action": {"content": "?"}, "step_id": "1"})
    assert (early.status_code, early.json()["error"]) == (409, "Conflict")
    assert "reset" in early.json()["detail"]
    empty = (await server.get(f"{path}/trajectory")).json()
    assert (empty["episode"], empty["steps"], len(empty["messages"])) == (0, [], 1)


async def test_a_client_that_hangs_up_leaves_nothing_half_done(server: Any, make_arena: Any) -> None:
    code = COUNTER.replace("    global n\n", "    global n\n    import time\n    time.sleep(0.2)\n")
    play = await server.play(await server.publish(make_arena(code, {"by": 4321}, 8642)))
    body = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 1}}] * 3}, "step_id": "one"}
    task = asyncio.create_task(play.send("POST", "/step", json=body))
    await asyncio.sleep(0.3)  # in the middle of the second call
    task.cancel()
    with pytest.raises((asyncio.CancelledError, httpx2.HTTPError)):
        await task
    reply = await play.step(body["action"], step_id="one")
    assert [m["content"].split(",")[0] for m in reply["observation"]["messages"]] == [
        '{"total": 1', '{"total": 2', '{"total": 3',
    ]  # fmt: skip


async def test_a_name_used_again_in_the_next_episode_is_another_step(
    empty_database: str, serve: Any, counter: Json
) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        play = await one.play(await one.publish(counter))
        other = type(play)(two, play.env_id)
        for by in (5, 1):
            await play.call("count", {"by": by}, step_id=str(by))
        await other.reset()
        assert total(await play.call("count", {"by": 1}, step_id="1")) == 1, "not the reply from before the reset"


async def test_what_another_server_did_shows(empty_database: str, serve: Any, counter: Json) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        play = await one.play(await one.publish(counter))
        other = type(play)(two, play.env_id)
        await play.call("count", {"by": 1})
        await other.call("count", {"by": 1})
        assert (await play.ok("GET", ""))["steps"] == 2
        assert len((await play.ok("GET", "/trajectory"))["steps"]) == 2
        await other.reset()
        begun = await play.ok("GET", "/trajectory")
        assert (begun["episode"], begun["steps"]) == (2, [])
        await other.send("DELETE", "")
        for method, path in (("GET", ""), ("GET", "/trajectory"), ("POST", "/reset"), ("DELETE", "")):
            assert (await play.send(method, path, json={})).status_code == 404
        assert (await one.get("/capacity")).json()["envs"] == 0


async def test_an_env_that_another_server_kept_alive_has_not_expired(
    empty_database: str, serve: Any, counter: Json
) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        play = await one.play(await one.publish(counter), ttl_s=60)
        other = type(play)(two, play.env_id)
        await play.call("count", {"by": 1})
        later(two, 40)
        await other.call("count", {"by": 1})
        later(one, 70)
        await one.resources.envs.reap()
        assert total(await play.call("count", {"by": 1})) == 3


async def test_nothing_is_refused_because_of_what_was_before_another_server_went_on(
    empty_database: str, serve: Any, counter: Json
) -> None:
    async with serve(empty_database) as one, serve(empty_database) as two:
        arena_id = await one.publish(counter)
        player = type(await one.play(arena_id))
        made = await one.post("/envs", json={"arena_id": arena_id})
        play, other = (player(server, made.json()["id"]) for server in (one, two))
        await other.reset()
        assert total(await play.call("count", {"by": 5}, step_id="a")) == 5, "it was reset, though not here"
        await other.reset()
        assert total(await play.call("count", {"by": 1}, step_id="a")) == 1, "that name was of another episode's step"
        again = {"action": {"tool_calls": [{"name": "count", "arguments": {"by": 2}}]}, "step_id": "a"}
        assert (await play.send("POST", "/step", json=again)).status_code == 409
