"""Records of customers and leads."""

from random import Random
from typing import Any

from astra_synth_worker.trajectories.playbooks.moves import Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import CITIES, COMPANIES


def _record(rng: Random, facts: Facts) -> Facts:
    return {
        "type": rng.choice(("customer", "lead", "account", "contact")),
        "name": f"{rng.choice(COMPANIES)} {rng.choice(('Ltd', 'GmbH', 'SARL', 'Inc', 'Oy'))}",
        "city": rng.choice(CITIES),
    }


def _update(rng: Random, facts: Facts) -> Facts:
    return {"city": rng.choice([city for city in CITIES if city != facts["city"]]), "seats": rng.randint(3, 400)}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


def _stands(result: Any) -> str:
    data = ", ".join(f"{key} {value}" for key, value in result["data"].items())
    shelf = "archived" if result["archived"] else "active"
    return f"{result['type']} {result['name']} ({result['id']}) is {shelf} at version {result['version']}: {data}."


def _id(facts: Facts, known: dict[str, Any]) -> dict[str, Any]:
    return {"record_id": known["record_id"]}


def _listed(facts: Facts, result: Any) -> str:
    names = [record["name"] for record in result["data"]]
    among = "among them" if facts["name"] in names else "not among them"
    shown = ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")
    return f"There are {len(names)} active {facts['type']} records ({shown}); {facts['name']} is {among}."


BOOK = Playbook(
    server="crm",
    start={},
    moves=(
        Move(
            tool="create_record",
            draw=_record,
            asks=(
                "add {name} from {city} as a new {type}",
                "create a {type} record for {name}, city {city}",
                "enter {name} ({city}) into the CRM as a {type}",
            ),
            arguments=lambda f, k: {"type": f["type"], "name": f["name"], "data": {"city": f["city"]}},
            says=lambda f, r: f"Created: {_stands(r)}",
            learns=lambda r: {"record_id": r["id"]},
            gives=("record", "active"),
            takes=("archived",),
        ),
        Move(
            tool="get_record",
            draw=_nothing,
            asks=("show me the record of {name} as it is stored", "look up {name}'s record"),
            arguments=_id,
            says=lambda f, r: f"Stored: {_stands(r)}",
            needs=("record",),
        ),
        Move(
            tool="update_record",
            draw=_update,
            asks=(
                "change {name}'s city to {city} and note {seats} seats",
                "update {name}: they moved to {city} and have {seats} seats now",
            ),
            arguments=lambda f, k: {"record_id": k["record_id"], "data": {"city": f["city"], "seats": f["seats"]}},
            says=lambda f, r: f"Updated: {_stands(r)}",
            needs=("active",),
        ),
        Move(
            tool="archive_record",
            draw=_nothing,
            asks=("archive {name} so that it can be brought back later", "hide {name} for now without losing it"),
            arguments=_id,
            says=lambda f, r: f"Archived: {_stands(r)}",
            needs=("active",),
            gives=("archived",),
            takes=("active",),
        ),
        Move(
            tool="restore_record",
            draw=_nothing,
            asks=("bring {name} back to the active list", "restore {name} from the archive"),
            arguments=_id,
            says=lambda f, r: f"Restored: {_stands(r)}",
            needs=("archived",),
            gives=("active",),
            takes=("archived",),
        ),
        Move(
            tool="delete_record",
            draw=_nothing,
            asks=("delete {name} for good", "remove {name} permanently"),
            arguments=_id,
            says=lambda f, r: f"{f['name']} ({r['id']}) is deleted and cannot be recovered.",
            needs=("record",),
            takes=("record", "active", "archived"),
        ),
        Move(
            tool="list_records",
            draw=_nothing,
            asks=("tell me which {type} records are active", "list the active {type} records"),
            arguments=lambda f, k: {"type": f["type"]},
            says=_listed,
            needs=("record",),
        ),
    ),
)
