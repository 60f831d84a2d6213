"""Keys: made, shown once, kept as a hash, listed, revoked, expired."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest
from astra_env_server.access.guard import KeyGuard
from astra_env_server.access.repository import KeyRepository
from astra_env_server.access.secret import hash_of, id_of, new_key
from astra_env_server.app import create_app
from astra_env_server.settings import Settings
from astra_proto.errors import Unauthorized
from astra_service.database import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

pytestmark = pytest.mark.anyio


async def test_a_key_opens_what_its_role_may(make_key: Any, as_key: Any) -> None:
    made = await make_key("agent", name="an agent")
    assert (made["role"], made["tenant"], made["name"], made["revoked_at"]) == ("agent", "a", "an agent", None)
    agent = as_key(made["key"])
    assert (await agent.get("/arenas")).status_code == 200
    refused = await agent.get("/keys")
    assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")
    assert "admin" in refused.json()["detail"]


async def test_the_key_is_nowhere_in_the_database(serve: Any, empty_database: str) -> None:
    async with serve(empty_database, api_token="r" * 20) as server:
        server.headers["Authorization"] = "Bearer " + "r" * 20
        made = (await server.post("/keys", json={"tenant": "a", "role": "agent"})).json()
        used = {"Authorization": f"Bearer {made['key']}"}
        assert (await server.get("/arenas", headers=used)).status_code == 200
    secret = made["key"][-43:]
    engine = create_async_engine(empty_database)
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM env_server_keys"))).one()
    await engine.dispose()
    assert hash_of(made["key"]) in row, "the test looks where the key is"
    assert not any(secret in str(value) for value in row)
    if empty_database.startswith("sqlite"):
        folder = Path(empty_database.split(":///")[1]).parent
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert any(hash_of(made["key"]).encode() in file.read_bytes() for file in files)
        assert not any(secret.encode() in file.read_bytes() for file in files)


async def test_it_is_shown_once(guarded: Any, make_key: Any) -> None:
    made = await make_key("trainer")
    for path in ("/keys", f"/keys/{made['id']}"):
        shown = (await guarded.get(path)).text
        assert made["id"] in shown
        assert made["key"] not in shown
        assert hash_of(made["key"]) not in shown


async def test_a_revoked_key_is_refused_at_once(guarded: Any, make_key: Any, as_key: Any) -> None:
    made = await make_key("agent")
    agent = as_key(made["key"])
    assert (await agent.get("/arenas")).status_code == 200
    for _ in range(2):  # to revoke it again changes nothing
        assert (await guarded.delete(f"/keys/{made['id']}")).status_code == 204
        assert (await agent.get("/arenas")).status_code == 401
    assert (await guarded.get(f"/keys/{made['id']}")).json()["revoked_at"] is not None


async def test_another_replica_believes_a_key_no_longer_than_it_is_told(serve: Any, empty_database: str) -> None:
    root = {"api_token": "r" * 20}
    async with (
        serve(empty_database, **root) as one,
        serve(empty_database, **root, key_fresh_s=0) as eager,
        serve(empty_database, **root, key_fresh_s=300) as trusting,
    ):
        one.headers["Authorization"] = "Bearer " + "r" * 20
        made = (await one.post("/keys", json={"tenant": "a", "role": "agent"})).json()
        used = {"Authorization": f"Bearer {made['key']}"}
        assert [(await s.get("/arenas", headers=used)).status_code for s in (one, eager, trusting)] == [200] * 3
        await one.delete(f"/keys/{made['id']}")
        assert [(await s.get("/arenas", headers=used)).status_code for s in (one, eager, trusting)] == [401, 401, 200]


async def test_a_key_expires_while_it_is_believed(serve: Any, empty_database: str) -> None:
    async with serve(empty_database) as server:
        made = (await server.post("/keys", json={"tenant": "a", "role": "agent", "ttl_s": 3600})).json()
    database, now = Database(empty_database), [time.time()]
    guard = KeyGuard("root", fresh_s=300, clock=lambda: now[0])
    guard.connect(KeyRepository(database), lambda why: None)
    headers = [(b"authorization", f"Bearer {made['key']}".encode())]
    request = {"type": "http", "method": "GET", "path": "/arenas", "headers": headers}
    await guard(request)
    await database.close()
    now[0] += 3_400
    await guard(request)
    now[0] += 400
    with pytest.raises(Unauthorized, match="expired"):
        await guard(request)


async def test_keys_are_listed_page_by_page(guarded: Any, make_key: Any) -> None:
    made = {(await make_key("agent", tenant="b" if n % 2 else "a"))["id"] for n in range(5)}
    seen, cursor = [], None
    while True:
        page = (await guarded.get("/keys", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [key["id"] for key in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == sorted(made)
    of_b = (await guarded.get("/keys?tenant=b")).json()["items"]
    assert {key["tenant"] for key in of_b} == {"b"}
    assert len(of_b) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "A B"},
        {"tenant": ""},
        {"role": "king"},
        {"max_envs": 0},
        {"max_envs": 2**40},
        {"steps_per_minute": -1},
        {"ttl_s": 0},
        {"ttl_s": 1e300},
        {"colour": "red"},
        {"name": "x" * 101},
    ],
)
async def test_odd_requests(guarded: Any, wrong: dict[str, Any]) -> None:
    reply = await guarded.post("/keys", json={"tenant": "a", "role": "agent", **wrong})
    assert (reply.status_code, reply.json()["error"]) == (422, "Invalid")


async def test_unknown_keys(guarded: Any) -> None:
    for method in ("GET", "DELETE"):
        assert (await guarded.request(method, "/keys/key_" + "0" * 16)).status_code == 404
        assert (await guarded.request(method, "/keys/7")).status_code == 422


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic", "Basic !!", "Basic eA==", "Digest {key}", "{key}"])
async def test_what_is_no_key(guarded: Any, make_key: Any, header: str) -> None:
    key = (await make_key("admin"))["key"]
    for given in (header.format(key=key), f"Bearer {key}x", f"Bearer {key[:-1]}", f"Bearer {new_key()[1]}"):
        reply = await guarded.get("/arenas", headers={"Authorization": given})
        assert (reply.status_code, reply.json()["error"]) == (401, "Unauthorized"), given
        assert ("is not known here" if given else "is needed") in reply.json()["detail"]
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    # The id of a key that there is, with a secret of one's own.
    forged = new_key()[1][22:]  # from the underscore on
    reply = await guarded.get("/arenas", headers={"Authorization": f"Bearer {key[:22]}{forged}"})
    assert reply.status_code == 401


async def test_a_key_as_the_password_of_an_address(guarded: Any, make_key: Any) -> None:
    key = (await make_key("agent"))["key"]
    basic = base64.b64encode(f"anyone:{key}".encode()).decode()
    assert (await guarded.get("/arenas", headers={"Authorization": f"Basic {basic}"})).status_code == 200
    assert (await guarded.get("/keys", headers={"Authorization": f"Basic {basic}"})).status_code == 403


async def test_an_open_server_still_heeds_keys(serve: Any) -> None:
    async with serve() as server:
        assert (await server.get("/keys")).status_code == 200
        assert (await server.get("/keys", headers={"Authorization": "Bearer anything"})).status_code == 200
        made = (await server.post("/keys", json={"tenant": "a", "role": "agent"})).json()
        assert (await server.get("/keys", headers={"Authorization": f"Bearer {made['key']}"})).status_code == 403
        bad = {"Authorization": f"Bearer {new_key()[1]}"}
        assert (await server.get("/keys", headers=bad)).status_code == 401


def test_it_does_not_serve_beyond_this_machine_without_a_root_token() -> None:
    for token in (None, "", "change-me"):
        with pytest.raises(SystemExit, match="API_TOKEN"):
            Settings(host="0.0.0.0", api_token=token).refuse_if_exposed()
    Settings(host="127.0.0.1").refuse_if_exposed()
    create_app(Settings(host="127.0.0.1"))


def test_the_form_of_a_key() -> None:
    made = {new_key() for _ in range(100)}
    assert len({key for _, key in made}) == 100
    assert all(id_of(key) == key_id for key_id, key in made)
    assert id_of("astra_") is None
    assert id_of("astra_" + "0" * 16 + "_" + "a" * 44) is None


async def test_a_known_key_costs_microseconds_and_no_question(serve: Any, empty_database: str) -> None:
    async with serve(empty_database) as server:
        made = (await server.post("/keys", json={"tenant": "a", "role": "agent"})).json()
    database = Database(empty_database)
    guard = KeyGuard("root", fresh_s=300)
    guard.connect(KeyRepository(database), lambda why: None)
    headers = [(b"authorization", f"Bearer {made['key']}".encode())]
    request = {"type": "http", "method": "POST", "path": f"/envs/env_{'0' * 32}/step", "headers": headers}
    await guard(request)
    await database.close()
    guard.connect(NotImplemented, lambda why: None)  # would fail if it were asked
    for _ in range(1_000):
        await guard(request)
