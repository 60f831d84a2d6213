"""Steps that are written together share a transaction and nothing else."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from astra_env_server.envs.log_entry import Beginning, Move, StepRow

pytestmark = pytest.mark.anyio

UNTIL = datetime.now(UTC) + timedelta(hours=1)
MOVE, OVER = Move("open", UNTIL), Move("done", UNTIL)


def row(env_id: str, index: int = 1, **changes: Any) -> StepRow:
    plain = StepRow(env_id, 1, index, 0, f"step-{index}", "0" * 64, '{"índice": "日本"}', "[]")
    return replace(plain, **changes)


async def envs(server: Any, library: Any, count: int) -> list[str]:
    arena_id = await server.publish(library)
    return [(await server.play(arena_id)).env_id for _ in range(count)]


async def test_all_that_is_ready_is_written_and_each_is_told_of_its_own(server: Any, library: Any) -> None:
    log, repository = server.resources.envs._player._log, server.resources.envs._repository
    ids = await envs(server, library, 12)
    stale, unknown = row(ids[0], index=2), row("env_" + "0" * 32)
    rows = [stale, unknown, *(row(env_id) for env_id in ids[1:])]
    assert await asyncio.gather(*(log.append(each, MOVE) for each in rows)) == [False, False] + [True] * 11
    for env_id in ids[1:]:
        assert await repository.log(env_id, 1) == [row(env_id)]
        assert ((found := await repository.get(env_id)).steps, found.expires_at) == (1, UNTIL)
    assert await repository.log(ids[0], 1) == []
    again = await asyncio.gather(*(log.append(row(env_id), MOVE) for env_id in ids))
    assert again == [True] + [False] * 11, "a step is written once"


async def test_one_that_cannot_be_written_does_not_take_the_others_with_it(server: Any, library: Any) -> None:
    log = server.resources.envs._player._log
    ids = await envs(server, library, 5)
    rows = [row(ids[0], step_id="\ud800"), *(row(env_id) for env_id in ids[1:])]
    told = await asyncio.gather(*(log.append(each, MOVE) for each in rows), return_exceptions=True)
    assert isinstance(told[0], Exception)
    assert told[1:] == [True] * 4
    assert await log.append(row(ids[0]), OVER)


async def test_one_who_hangs_up_does_not_stop_the_others(server: Any, library: Any) -> None:
    log = server.resources.envs._player._log
    ids = await envs(server, library, 5)
    tasks = [asyncio.create_task(log.append(row(env_id), MOVE)) for env_id in ids]
    await asyncio.sleep(0)
    tasks[0].cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(told[0], asyncio.CancelledError)
    assert told[1:] == [True] * 4


async def test_an_episode_begins_once_and_steps_of_others_are_written_beside_it(server: Any, library: Any) -> None:
    log, repository = server.resources.envs._player._log, server.resources.envs._repository
    one, two, over = await envs(server, library, 3)
    assert await log.append(row(over), OVER)
    told = await asyncio.gather(
        log.begin(Beginning(one, 1, 7, UNTIL)),
        log.append(row(two), None),
        log.begin(Beginning(one, 1, 8, UNTIL)),
        log.begin(Beginning(over, 1, 9, UNTIL)),
        log.begin(Beginning("env_" + "0" * 32, 0, 9, UNTIL)),
    )
    assert told == [True, True, False, True, False]
    found = [await repository.get(env_id) for env_id in (one, over)]
    assert [(env.episode, env.seed, env.steps, env.status, env.expires_at) for env in found] == [
        (2, 7, 0, "open", UNTIL),
        (2, 9, 0, "open", UNTIL),
    ]


async def test_a_step_leaves_its_env_as_it_is_unless_it_says_what_becomes_of_it(server: Any, library: Any) -> None:
    log, repository = server.resources.envs._player._log, server.resources.envs._repository
    (env_id,) = await envs(server, library, 1)
    before = await repository.get(env_id)
    assert await log.append(row(env_id), None)
    assert await repository.get(env_id) == replace(before, steps=1)
    assert await log.append(row(env_id, 2), OVER)
    assert await repository.get(env_id) == replace(before, steps=2, status="done", expires_at=UNTIL)
    assert not await log.append(row(env_id, 3), None), "an episode that is over takes no step"
