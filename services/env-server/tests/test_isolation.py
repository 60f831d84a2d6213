"""The least isolation that an env asks for is honoured or refused, never passed over."""

import asyncio
from typing import Any

import psutil
import pytest
from astra_proto.errors import WeakIsolation, from_body
from astra_proto.tiers import Isolation
from astra_service.starting import CannotStart

from .support import total

pytestmark = pytest.mark.anyio


async def test_what_this_server_has_is_given_and_more_is_refused(serve: Any, library: Any) -> None:
    async with serve(isolation="landlock") as server:
        arena = await server.publish(library)
        assert (await server.get("/capacity")).json()["isolation"] == "landlock"
        created = await server.post("/envs", json={"arena_id": arena, "min_isolation": "landlock"})
        assert (created.status_code, created.json()["isolation"]) == (201, "landlock")
        for more in ("bubblewrap", "docker", "gvisor"):
            refused = await server.post("/envs", json={"arena_id": arena, "min_isolation": more})
            assert refused.status_code == 422
            assert isinstance(from_body(422, refused.json()), WeakIsolation)
            assert refused.json()["isolation"] == "landlock"
            assert "`landlock`" in refused.json()["detail"]
        unknown = await server.post("/envs", json={"arena_id": arena, "min_isolation": "none"})
        assert (unknown.status_code, unknown.json()["error"]) == (422, "Invalid")


def test_the_order_is_that_of_strength() -> None:
    weakest, *_, strongest = Isolation
    assert (weakest, strongest) == (Isolation.LANDLOCK, Isolation.GVISOR)
    for tier in Isolation:
        assert tier.at_least(weakest)
        assert tier.at_least(tier)
        assert strongest.at_least(tier)
    assert not Isolation.BUBBLEWRAP.at_least(Isolation.DOCKER)


async def test_an_env_that_meets_a_weaker_server_later_does_not_run_there(
    serve: Any, library: Any, empty_database: str
) -> None:
    async with serve(empty_database, isolation="bubblewrap") as strong:
        arena = await strong.publish(library)
        envs = [
            (await strong.post("/envs", json={"arena_id": arena, **more})).json()["id"]
            for more in ({"min_isolation": "bubblewrap"}, {"min_isolation": "landlock"}, {})
        ]
        for env in envs:
            assert (await strong.post(f"/envs/{env}/reset", json={})).status_code == 200
    action = {"action": {"tool_calls": [{"name": "find_overdue_loan", "arguments": {"member_id": "M-2041"}}]}}
    async with serve(empty_database, isolation="landlock") as weak:
        statuses = [(await weak.post(f"/envs/{env}/step", json=action)).status_code for env in envs]
        assert statuses == [422, 200, 200]
        refused = await weak.post(f"/envs/{envs[0]}/reset", json={})
        assert (refused.status_code, refused.json()["error"]) == (422, "WeakIsolation")


async def test_a_tier_that_does_not_work_here_keeps_the_server_from_starting(serve: Any) -> None:
    with pytest.raises(CannotStart, match=r"docker: .*ASTRA_ENV_SERVER_ISOLATION"):
        async with serve(isolation="docker", docker_image="astra-none:0"):
            pass


def runner_of(server: Any, play: Any) -> int:
    """The process that the runner of an env's session began with."""
    found: int = server.resources.envs.keeper._live._envs[play.env_id].episode._session._runner.pid
    return found


@pytest.mark.parametrize("tier", ["landlock", "bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
async def test_a_runner_for_each_env_is_a_policy(serve: Any, counter: Any, tier: str) -> None:
    """Envs of one arena are forks of one runner by default, and share nothing where that is asked for."""
    for scope, runners in (("arena", 1), ("env", 2)):
        async with serve(isolation_scope=scope, isolation=tier, max_runners=3, warm_runners=0) as server:
            assert (await server.get("/capacity")).json()["isolation_scope"] == scope
            arena = await server.publish(counter)
            plays = [await server.play(arena) for _ in range(2)]
            assert [total(await play.call("count", {"by": n})) for n, play in enumerate(plays, 1)] == [1, 2]
            pids = [runner_of(server, play) for play in plays]
            assert len(set(pids)) == runners
            if scope == "arena":
                continue
            third = await server.play(arena)
            made = await server.post("/envs", json={"arena_id": arena})
            full = await server.post(f"/envs/{made.json()['id']}/reset")
            assert (full.status_code, full.json()["error"]) == (429, "CapacityReached")
            await third.step({"content": "done"})
            assert (await server.post(f"/envs/{made.json()['id']}/reset")).status_code == 200
            await plays[0].send("DELETE", "")
            while (await server.get("/capacity")).json()["runners"] > 2:  # noqa: ASYNC110 it rings no bell
                await asyncio.sleep(0.02)
            assert not psutil.pid_exists(pids[0]), "it ends with its env"
            assert total(await plays[1].call("count", {"by": 5})) == 7
