"""The guard stands before WebSockets too, at the door and at every message."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.anyio


class Socket:
    """A client of an application's WebSocket, without a network between."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[Any] = asyncio.Queue()
        self.from_app: asyncio.Queue[Any] = asyncio.Queue()

    async def ask(self, kind: str, **data: Any) -> Any:
        """Send a frame; the event that follows."""
        await self.to_app.put({"type": "websocket.receive", "text": json.dumps({"type": kind, "data": data})})
        return await self.from_app.get()


@asynccontextmanager
async def connected(app: Any, path: str, authorization: str | None) -> AsyncIterator[tuple[Socket, Any]]:
    """A socket, and what the application said first."""
    socket = Socket()
    headers = [(b"host", b"127.0.0.1")] + ([(b"authorization", authorization.encode())] if authorization else [])
    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
        "subprotocols": [], "scheme": "ws", "client": ("127.0.0.1", 1), "server": ("test", 80), "root_path": "",
        "asgi": {"version": "3.0"}, "extensions": {}, "state": {},
    }  # fmt: skip
    await socket.to_app.put({"type": "websocket.connect"})
    task = asyncio.create_task(app(scope, socket.to_app.get, socket.from_app.put))
    yield socket, await socket.from_app.get()
    await socket.to_app.put({"type": "websocket.disconnect", "code": 1000})
    await task


async def refused(app: Any, path: str, authorization: str | None) -> int:
    async with connected(app, path, authorization) as (_, said):
        assert said["type"] == "websocket.close"
        return int(said["code"])


async def test_a_socket_takes_a_key(guarded: Any, make_key: Any, as_key: Any, library: Any) -> None:
    arena = await guarded.publish(library)
    made = await make_key("agent")
    play = await as_key(made["key"]).play(arena)
    stranger = f"Bearer {(await make_key('agent', 'b'))['key']}"
    for path in (f"/envs/{play.env_id}/ws", f"/arenas/{arena}/ws"):
        assert await refused(guarded.app, path, None) == 4401
        assert await refused(guarded.app, path, "Bearer x") == 4401
        for form in (f"Bearer {made['key']}", "Basic " + base64.b64encode(f"any:{made['key']}".encode()).decode()):
            async with connected(guarded.app, path, form) as (socket, said):
                assert said["type"] == "websocket.accept"
                reset = await socket.ask("reset")
                assert library["prompt"] in reset["text"]
    async with connected(guarded.app, f"/envs/{play.env_id}/ws", stranger) as (socket, said):
        said = await socket.from_app.get()
        assert "no env" in said["text"], "someone else's env is not there"
        assert library["prompt"] not in said["text"]
    assert await refused(guarded.app, "/keys/x/ws", stranger) == 4404


async def test_a_socket_does_not_outlive_its_key(guarded: Any, make_key: Any, library: Any) -> None:
    arena = await guarded.publish(library)
    made = await make_key("agent")
    async with connected(guarded.app, f"/arenas/{arena}/ws", f"Bearer {made['key']}") as (socket, _):
        assert (await socket.ask("reset"))["type"] == "websocket.send"
        await guarded.delete(f"/keys/{made['id']}")
        said = await socket.ask("reset")
        assert (said["type"], said["code"]) == ("websocket.close", 4401)


async def test_quotas_hold_in_a_socket(guarded: Any, make_key: Any, library: Any) -> None:
    arena = await guarded.publish(library)
    made = await make_key("agent", max_envs=1)
    bearer = f"Bearer {made['key']}"
    async with connected(guarded.app, f"/arenas/{arena}/ws", bearer) as (first, _):
        await first.ask("reset")
        async with connected(guarded.app, f"/arenas/{arena}/ws", bearer) as (second, _):
            said = (await second.from_app.get())["text"]
            assert "CAPACITY_REACHED" in said
            assert "this key has its 1 envs open" in said
    async with connected(guarded.app, f"/arenas/{arena}/ws", bearer) as (third, _):
        assert library["prompt"] in (await third.ask("reset"))["text"], "the env went with its connection"
