"""A database of an earlier version is brought up to date, and what it holds is kept."""

import json
from pathlib import Path
from typing import Any

import astra_env_server
import pytest
from alembic import command
from alembic.config import Config
from astra_service.database import Database
from sqlalchemy import Connection, text

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def _go_back(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(astra_env_server.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = "astra_env_server_version"
    command.downgrade(config, revision)


async def test_arenas_of_an_earlier_version_are_listed_by_their_shape(
    serve: Any, library: Json, empty_database: str
) -> None:
    async with serve(database_url=empty_database) as server:
        published = (await server.post("/arenas", json=library)).json()
    database = Database(empty_database)
    async with database.engine.begin() as connection:
        view = json.loads((await connection.execute(text("SELECT view FROM env_server_arenas"))).scalar_one())
        del view["hops"]
        await connection.execute(text("UPDATE env_server_arenas SET view = :view"), {"view": json.dumps(view)})
        await connection.run_sync(_go_back, "0004")
    await database.close()
    async with serve(database_url=empty_database) as server:
        (arena,) = (await server.get("/arenas", params={"topology": "multi_hop", "min_hops": 2})).json()["items"]
        assert (arena["id"], arena["hops"]) == (published["id"], 2)
        assert arena["tools"] == view["tools"]
        assert (await server.get("/arenas", params={"max_hops": 1})).json()["items"] == []
        assert not (await server.post("/arenas", json=library)).json()["created"]


async def test_envs_of_an_earlier_version_go_on_where_they_were(serve: Any, counter: Json, empty_database: str) -> None:
    async with serve(database_url=empty_database) as server:
        play = await server.play(await server.publish(counter))
        await play.call("count", {"by": 1}, step_id="one")
        await play.call("count", {"by": 2}, step_id="two")
    database = Database(empty_database)
    async with database.engine.begin() as connection:
        await connection.run_sync(_go_back, "0005")
        assert (await connection.execute(text("SELECT steps FROM env_server_envs"))).scalar_one() == 2
    await database.close()
    async with serve(database_url=empty_database) as server:
        assert (await server.get(f"/envs/{play.env_id}")).json()["steps"] == 2
        later = type(play)(server, play.env_id)
        again = await later.call("count", {"by": 2}, step_id="two")
        assert again["info"]["step_index"] == 2, "a retry is found by its name"
        assert (await later.call("count", {"by": 3}))["info"]["step_index"] == 3
