"""Every server of the catalogue, really started through `uvx`. The first run needs the package registry."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest
from astra_tool_registry.catalogue import entries

Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SALES = "CREATE TABLE sales (id INTEGER PRIMARY KEY, fruit TEXT, kilos REAL)"
ROWS = "INSERT INTO sales (fruit, kilos) VALUES ('apple', 12.5), ('pear', 7.0), ('plum', 3.0)"
CALLS: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "sqlite": [
        ("create_table", {"query": SALES}, "Table created successfully"),
        ("write_query", {"query": ROWS}, "[{'affected_rows': 3}]"),
        ("list_tables", {}, "[{'name': 'sales'}]"),
        ("read_query", {"query": "SELECT sum(kilos) AS kilos FROM sales"}, "[{'kilos': 22.5}]"),
    ],
    "git": [
        ("git_status", {"repo_path": "repo"}, "prices.csv"),
        ("git_diff_unstaged", {"repo_path": "repo"}, "+- plums: 3 kg"),
        ("git_add", {"repo_path": "repo", "files": ["prices.csv"]}, "Files staged successfully"),
        ("git_commit", {"repo_path": "repo", "message": "Add prices"}, "66b38faece23493e53f740a48711012df51f5799"),
        ("git_log", {"repo_path": "repo", "max_count": 1}, "Message: Add prices"),
    ],
    "payments": [
        ("create_customer", {"name": "Ada", "balance": 10_000, "currency": "usd"}, '"id": "cus_'),
        ("create_charge", {"customer_id": "$id", "amount": 2_500}, '"status": "succeeded"'),
        ("refund_charge", {"charge_id": "$id", "amount": 1_000}, '"refunded": 1000'),
        ("get_charge", {"charge_id": "$id"}, '"captured": 2500'),
    ],
    "crm": [
        ("create_record", {"type": "customer", "name": "Acme"}, '"name": "Acme"'),
        ("update_record", {"record_id": "$id", "name": "Acme Ltd"}, '"version": 2'),
        ("archive_record", {"record_id": "$id"}, '"archived": true'),
    ],
    "files": [
        ("put_object", {"key": "a/b.txt", "size": 10}, '"version": 1'),
        ("list_objects", {"prefix": "a/"}, '"key": "a/b.txt"'),
        ("delete_object", {"key": "a/b.txt"}, '"deleted": true'),
    ],
    "email": [
        ("send_email", {"to": "bob@example.org", "subject": "Plums", "body": "They are ripe."}, '"id": "msg_'),
        ("get_message", {"message_id": "$id"}, "They are ripe."),
        ("search", {"query": "plums"}, "They are ripe."),
    ],
}  # fmt: skip
LEAST = {"sqlite": 6, "git": 12, "payments": 6, "crm": 7, "files": 4, "email": 4}


def test_every_entry_is_played_here() -> None:
    assert {entry.server.id for entry in entries()} == set(CALLS)
    for entry in entries():
        assert entry.licence in ("MIT", "Apache-2.0")
        pinned = entry.server.launch.args[entry.server.launch.args.index("--from") + 1]
        assert re.fullmatch(r"[\w-]+==[\w.]+", pinned)


@pytest.mark.parametrize("server_id", sorted(CALLS))
async def test_it_starts_and_answers_the_same_each_time(serve: Serve, server_id: str) -> None:
    async with serve(allowed_commands=["uvx", "git"], start_timeout_s=300) as client:
        known = {e["server"]["id"]: e["server"] for e in (await client.get("/catalogue")).json()["items"]}
        reply = await client.post("/servers", json=known[server_id])
        assert reply.status_code == 201, reply.text
        assert len(reply.json()["tools"]) == LEAST[server_id]
        assert reply.json()["dropped"] == {}
        chains = await client.post(f"/servers/{server_id}/chains", json={"count": 5, "min_length": 2})
        assert len(chains.json()["items"]) == 5
        assert await played(client, server_id) == await played(client, server_id)


async def played(client: httpx2.AsyncClient, server_id: str) -> list[str]:
    """The outputs of the calls in a fresh session; ``$id`` is the id in the answer before the last one with an id."""
    session = (await client.post(f"/servers/{server_id}/sessions", json={})).json()["id"]
    outputs, last_id = [], ""
    for name, arguments, expected in CALLS[server_id]:
        filled = json.loads(json.dumps(arguments).replace("$id", last_id))
        reply = (await client.post(f"/sessions/{session}/calls", json={"name": name, "arguments": filled})).json()
        assert reply["ok"], reply
        assert expected in reply["output"]
        if match := re.search(r'"id": "([^"]+)"', reply["output"]):
            last_id = match[1]
        outputs.append(reply["output"])
    assert (await client.delete(f"/sessions/{session}")).status_code == 204
    return outputs
