"""A guarded server, and keys for it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

ROOT = "root-token-of-the-tests"

Json = dict[str, Any]
MakeKey = Callable[..., Awaitable[Json]]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def guarded(serve: Any) -> AsyncIterator[Any]:
    """A server with a root token, which its client carries."""
    async with serve(api_token=ROOT, redis_url=os.environ.get("ASTRA_TEST_REDIS_URL")) as server:
        server.headers.update(bearer(ROOT))
        yield server


@pytest.fixture
def make_key(guarded: Any) -> MakeKey:
    """``await make_key("agent", tenant="a", max_envs=1)``: the reply, with the key in it."""

    async def make(role: str, tenant: str = "a", **more: Any) -> Json:
        reply = await guarded.post("/keys", json={"tenant": tenant, "role": role, **more})
        assert reply.status_code == 201, reply.text
        found: Json = reply.json()
        return found

    return make


@pytest.fixture
def as_key(guarded: Any) -> Callable[[str], httpx2.AsyncClient]:
    """A client of the same server that carries another key."""

    def client(key: str) -> httpx2.AsyncClient:
        made = type(guarded)(guarded.app)
        made.headers.update(bearer(key))
        return made

    return client
