"""Which envs there are, for those who may know."""

from typing import Any

import pytest

from .support import later

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def listed(client: Any, **wanted: Any) -> list[str]:
    """The ids of every page, two at a time."""
    found, cursor = [], None
    while True:
        page = await client.get("/envs", params={**wanted, "limit": 2, **({"cursor": cursor} if cursor else {})})
        assert page.status_code == 200, page.text
        found += [env["id"] for env in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return found


async def test_envs_are_listed_by_status_and_arena(
    serve: Any, empty_database: str, counter: Json, library: Json
) -> None:
    async with serve(empty_database) as server:
        arena, other = await server.publish(counter), await server.publish(library)
        plays = [await server.play(arena) for _ in range(4)]
        short = await server.play(other, ttl_s=60)
        await plays[0].step({"content": "done"})
        assert await listed(server) == sorted([*(play.env_id for play in plays), short.env_id])
        assert await listed(server, status="done") == [plays[0].env_id]
        assert await listed(server, arena_id=other) == [short.env_id]
        (view,) = (await server.get("/envs", params={"arena_id": other})).json()["items"]
        assert view == await short.ok("GET", "")
        assert view["created_at"] < view["expires_at"]

        later(server, 61)
        assert await listed(server, status="expired") == [short.env_id], "its time is over, told by nobody yet"
        assert await listed(server, status="open") == sorted(play.env_id for play in plays[1:])
        (view,) = (await server.get("/envs", params={"arena_id": other})).json()["items"]
        assert view["status"] == "expired"
        assert await short.ok("GET", "") == view
        assert await listed(server, status="expired") == [short.env_id]
        assert (await plays[1].send("DELETE", "")).status_code == 204
        assert plays[1].env_id not in await listed(server)
        for wrong in ({"status": "lost"}, {"arena_id": "x"}, {"cursor": "x"}, {"limit": 0}):
            assert (await server.get("/envs", params=wrong)).status_code == 422
