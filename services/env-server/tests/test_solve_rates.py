"""What policies reached is told with each arena: in the catalogue, whole, and after a restart."""

import copy
from typing import Any

import pytest
from astra_proto.arenas import Arena, ArenaView
from astra_service.database import Database
from sqlalchemy import text

from .test_upgrades import _go_back

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
NOWHERE = "ar_" + "0" * 32
ROOT = "root-token-of-the-rates"


def told(policy: str, arena_id: str, solved: float, **more: Any) -> Json:
    measured = {"episodes": 4, "solve_rate": solved, "f1": solved / 2}
    return {"policy": policy, "source": "ev_1", "arenas": {arena_id: measured}, **more}


async def test_each_arena_says_how_often_it_was_solved_also_after_a_restart(
    serve: Any, library: Json, empty_database: str
) -> None:
    other = copy.deepcopy(library) | {"prompt": library["prompt"] + " Please."}
    async with serve(empty_database) as server:
        arena_id, unmeasured = await server.publish(library), await server.publish(other)
        assert (await server.get(f"/arenas/{arena_id}")).json()["solve_rates"] == {}
        for body in (told("weak", arena_id, 0.25), told("strong/one", arena_id, 0.5)):
            reply = await server.post("/solve-rates", json=body)
            assert (reply.status_code, reply.json()) == (200, {"recorded": 1, "unknown": []})
        again = told("strong/one", arena_id, 1.0, source="ev_2")
        again["arenas"][NOWHERE] = again["arenas"][arena_id]
        assert (await server.post("/solve-rates", json=again)).json() == {"recorded": 1, "unknown": [NOWHERE]}
    async with serve(empty_database) as server:
        view = ArenaView.model_validate_json((await server.get(f"/arenas/{arena_id}")).text)
        assert {name: rate.solve_rate for name, rate in view.solve_rates.items()} == {"strong/one": 1.0, "weak": 0.25}
        strong = view.solve_rates["strong/one"]
        assert (strong.f1, strong.episodes, strong.source) == (0.5, 4, "ev_2"), "the newest counts"
        listed = {each["id"]: each for each in (await server.get("/arenas")).json()["items"]}
        assert ArenaView.model_validate(listed[arena_id]) == view
        assert listed[unmeasured]["solve_rates"] == {}
        whole = Arena.model_validate_json((await server.get(f"/arenas/{arena_id}/full")).text)
        assert whole.solve_rates == view.solve_rates
        assert whole.id == whole.spec.id() == arena_id, "what was measured is no part of the arena"


async def test_agents_read_them_and_trainers_tell_them(serve: Any, library: Json) -> None:
    async with serve(api_token=ROOT) as server:
        root = {"Authorization": f"Bearer {ROOT}"}
        arena_id = (await server.post("/arenas", json=library, headers=root)).json()["id"]
        status = {}
        for role in ("agent", "trainer", "publisher"):
            made = await server.post("/keys", json={"tenant": "a", "role": role}, headers=root)
            key = {"Authorization": f"Bearer {made.json()['key']}"}
            status[role] = (await server.post("/solve-rates", json=told(role, arena_id, 0.5), headers=key)).status_code
            shown = (await server.get(f"/arenas/{arena_id}", headers=key)).json()["solve_rates"]
        assert status == {"agent": 403, "trainer": 200, "publisher": 200}
        assert sorted(shown) == ["publisher", "trainer"]


@pytest.mark.parametrize(
    "changed",
    [
        {"policy": ""}, {"policy": "a\nb"}, {"policy": "[red]x"}, {"policy": "x" * 201}, {"source": "x" * 201},
        {"arenas": {}}, {"arenas": {"ar_1": {"episodes": 1, "solve_rate": 0, "f1": 0}}},
        {"arenas": {NOWHERE: {"episodes": 0, "solve_rate": 0, "f1": 0}}},
        {"arenas": {NOWHERE: {"episodes": 1, "solve_rate": 1.01, "f1": 0}}},
        {"arenas": {NOWHERE: {"episodes": 1, "solve_rate": 0, "f1": -1}}},
        {"arenas": {NOWHERE: {"episodes": 10**30, "solve_rate": 0, "f1": 0}}}, {"extra": 1},
    ],
)  # fmt: skip
async def test_what_cannot_have_been_measured_is_refused(server: Any, changed: Json) -> None:
    assert (await server.post("/solve-rates", json=told("p", NOWHERE, 0.5) | changed)).status_code == 422


async def test_many_arenas_are_told_at_once(server: Any, library: Json) -> None:
    arena_id = await server.publish(library)
    measured = {"episodes": 1, "solve_rate": 1.0, "f1": 1.0}
    body = {"policy": "many", "arenas": {f"ar_{number:032x}": measured for number in range(2_500)}}
    body["arenas"] |= {arena_id: measured}
    reply = (await server.post("/solve-rates", json=body)).json()
    assert (reply["recorded"], len(reply["unknown"])) == (1, 2_500)
    body["arenas"] |= {f"ar_{number:032x}": measured for number in range(10_000)}
    assert (await server.post("/solve-rates", json=body)).status_code == 422


async def test_a_database_from_before_gets_a_place_for_them(serve: Any, library: Json, empty_database: str) -> None:
    async with serve(empty_database) as server:
        arena_id = await server.publish(library)
    database = Database(empty_database)
    async with database.engine.begin() as connection:
        await connection.run_sync(_go_back, "0006")
        found = await connection.execute(text("SELECT COUNT(*) FROM env_server_arenas"))
        assert found.scalar_one() == 1
    await database.close()
    async with serve(empty_database) as server:
        assert (await server.get("/arenas")).json()["items"][0]["solve_rates"] == {}
        assert (await server.post("/solve-rates", json=told("p", arena_id, 1.0))).json()["recorded"] == 1
