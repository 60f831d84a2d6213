"""A sound stateful arena, damaged in one way, is refused by exactly the check for that."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Damage = Callable[[Json], None]

HOTEL = Path(__file__).parents[2] / "examples" / "hotel.json"
FIND, BOOK, CANCEL = "find_room", "book_room", "cancel_booking"
FREE = 'return {"room": best, "price_eur": state["rooms"][best]["price_eur"]}'


@pytest.fixture
def hotel() -> Json:
    return json.loads(HOTEL.read_text())  # type: ignore[no-any-return]


def tool(spec: Json, name: str) -> Json:
    found: Json = next(t for t in spec["tools"] if t["name"] == name)
    return found


def recode(name: str, old: str, new: str) -> Damage:
    def damage(spec: Json) -> None:
        assert old in tool(spec, name)["code"]
        tool(spec, name)["code"] = tool(spec, name)["code"].replace(old, new)

    return damage


def task(number: int, **changes: Any) -> Damage:
    return lambda spec: spec["subtasks"][number - 1].update(copy.deepcopy(changes))


def twice(spec: Json) -> None:
    """A second sub-task whose end the call of the first one has already brought about."""
    call = {"name": BOOK, "arguments": {"room": "302", "guest": "Mei Tan", "nights": 4}}
    more = {"id": 4, "depends_on": [3], "golden_call": call}
    spec["subtasks"].append(spec["subtasks"][1] | more)


def reordered(spec: Json) -> None:
    """A cancellation before the search frees a cheaper room, so the order of the list is part of the arena."""
    first, second, last = spec["subtasks"]
    spec["subtasks"] = [last | {"depends_on": []}, first, second]
    spec["topology"] = "parallel_multi_hop"


def apart(spec: Json) -> None:
    """The cancellation has nothing to do with the booking."""
    spec["subtasks"][2]["depends_on"] = []
    spec["topology"] = "parallel_multi_hop"


def waiting(spec: Json) -> None:
    """The cancellation fails before the booking, and says nothing of it."""
    apart(spec)
    first = 'if state["rooms"]["205"]["stay"] is None:\n        raise ValueError("first things first")'
    recode(CANCEL, "    if record is None", f"    {first}\n    if record is None")(spec)


def unfounded(spec: Json) -> None:
    """The booking does not say that it needs the search."""
    spec["subtasks"][1]["depends_on"] = []
    spec["topology"] = "parallel_multi_hop"


def tells(what: str) -> Damage:
    """The cancellation, which is apart, tells this as well."""

    def damage(spec: Json) -> None:
        apart(spec)
        recode(CANCEL, '"refund_eur": refund}', f'"refund_eur": refund, "next": {what}}}')(spec)

    return damage


def priced_as_well(spec: Json) -> None:
    """The price of the room that is found is asked for beside its number: one call for two sub-tasks."""
    first, *rest = spec["subtasks"]
    spec["subtasks"] = [first, first | {"id": 4, "answer": {"value": 93}, "question": "What does it cost?"}, *rest]
    spec["topology"] = "parallel_multi_hop"


def refunds_by_heart(spec: Json) -> None:
    """What is refunded is asked for, and told of bookings that are not there as well."""
    spec["subtasks"][2].pop("state_path")
    task(3, answer={"value": 249}, question="What is refunded when B-17 is cancelled?")(spec)
    failure = '        raise ValueError(f"there is no confirmed booking {booking}")'
    known = '{"B-17": 249, "B-18": 265}'
    recode(CANCEL, failure, f"        if booking in {known}:\n            return {known}[booking]\n{failure}")(spec)


def copied(name: str, told: str, **renamed: str) -> Damage:
    """The tool once more: with other names for its arguments, and what it tells in another dress."""

    def damage(spec: Json) -> None:
        own = tool(spec, name)
        more = copy.deepcopy(own) | {"name": "look_up", "description": "Another way."}
        given = {renamed.get(old, old): schema for old, schema in own["parameters"]["properties"].items()}
        more["parameters"] |= {"properties": given, "required": [*given]}
        more["code"] = own["code"].replace(f"def {name}(", "def inner(") + (
            f"\n\ndef look_up(state, {', '.join(given)}):\n"
            f"    found = inner(state, {', '.join(given)})\n    return {told}\n"
        )
        spec["tools"].append(more)

    return damage


ALL_OF_IT = '{**found, "beds": state["rooms"][found["room"]]["beds"] + 70}'
BOOKS_IT = 'state["rooms"]["205"]["stay"] = {"guest": "Mei Tan", "nights": 4}'

TABLE = '''ROOMS = {1: "102", 2: "205", 3: "302"}


def find_room(state, beds):
    """The cheapest free room with so many beds."""
    state["rooms"]
    if beds not in ROOMS:
        raise ValueError(f"no free room with {beds} beds")
    return {"room": ROOMS[beds], "price_eur": 0}
'''

DAMAGES: list[tuple[str, str, Damage]] = [
    ("initial_state", "is so from the start", task(3, answer={"value": "confirmed"})),
    ("initial_state", "is so from the start, as a record", task(
        2, state_path="/rooms/204/stay", answer={"value": {"nights": 3, "guest": "ANA SILVA"}})),
    ("code", "does not take the state", recode(FIND, "(state, beds)", "(beds, state=None)")),
    ("code", "takes it by another name", recode(FIND, "state", "hotel")),
    ("code", "offers it to callers", lambda spec: tool(spec, FIND)["parameters"]["properties"].update(
        state={"type": "object"})),
    ("oracle", "another place", task(2, state_path="/rooms/302/stay")),
    ("oracle", "a place that there never is", task(2, state_path="/rooms/999/stay")),
    ("oracle", "another end", task(2, answer={"value": {"guest": "Mei Tan", "nights": 5}})),
    ("oracle", "a part of the end", task(2, answer={"value": {"guest": "Mei Tan"}})),
    ("oracle", "in another order", reordered),
    ("oracle", "what was done is undone by a later call", task(
        3, golden_call={"name": CANCEL, "arguments": {"booking": "B-19"}}, state_path="/bookings/B-19/status")),
    ("oracle", "forgets to change anything", recode(CANCEL, 'record["status"] = "cancelled"', "pass")),
    ("determinism", "leaves something else each time", recode(
        BOOK, "    return", "    import random\n    state['lucky'] = random.random()\n    return")),
    ("determinism", "a set's order ends in the state", recode(
        BOOK, "    return", "    state['who'] = [id(object()) % 97, id([]) % 89, id({}) % 83, id(state)]\n    return")),
    ("sensitivity", "books whatever is asked for", recode(
        BOOK, '    if room not in state["rooms"]:\n        raise ValueError(f"there is no room {room}")\n',
        '    if not room.isdigit():\n        raise ValueError("no room")\n'
        '    state["rooms"]["205"]["stay"] = {"guest": "Mei Tan", "nights": 4}\n    return "done " + guest\n')),
    ("overlap", "an answer stands in the code of another tool", tells('"room 205"')),
    ("overlap", "a tool is there twice", copied(FIND, "found")),
    ("overlap", "twice, in another dress", copied(FIND, '[{"value": found}]', beds="size")),
    ("overlap", "twice, in a sentence", copied(FIND, 'f"Take {found[\'room\']}, {found[\'price_eur\']} a night."')),
    ("overlap", "one that changes the state is there twice", copied(CANCEL, "found", booking="number")),
    ("state", "one call says what two sub-tasks ask for", priced_as_well),
    ("state", "a call waits for another, on which it does not depend", waiting),
    ("topology", "an argument is found out by a sub-task on which it does not depend", unfounded),
    ("state", "a later call does it as well", recode(CANCEL, "    return", f"    {BOOKS_IT}\n    return")),
    ("state", "a call that asks for something else does it", recode(
        FIND, "    if not free:", f"    if beds == 13:\n        {BOOKS_IT}\n        return 'done'\n    if not free:")),
    ("state", "answers from a table", lambda spec: tool(spec, FIND).update(code=TABLE)),
    ("state", "has answers by heart where it finds nothing", refunds_by_heart),
    ("state", "asks for what is there already", twice),
]  # fmt: skip


async def test_the_arena_that_is_damaged_is_sound(server: Any, hotel: Json) -> None:
    report = (await server.post("/arenas/check", json=hotel)).json()
    assert report["sound"], report
    again = (await server.post("/arenas/check", json=hotel)).json()
    assert again == report


@pytest.mark.parametrize(
    ("check", "what", "damage"), DAMAGES, ids=[f"{c}-{w}".replace(" ", "_") for c, w, _ in DAMAGES]
)
async def test_a_damaged_arena_is_refused_by_its_check(
    server: Any, hotel: Json, check: str, what: str, damage: Damage
) -> None:
    damage(hotel)
    report = (await server.post("/arenas/check", json=hotel)).json()
    failed = [c["name"] for c in report["checks"] if not c["passed"]]
    assert failed == [check], report


@pytest.mark.parametrize("told", [ALL_OF_IT, f"str({ALL_OF_IT})", '{"price": found["price_eur"]}'])
async def test_a_tool_may_tell_more_of_the_same_record_or_less(server: Any, hotel: Json, told: str) -> None:
    copied(FIND, told)(hotel)
    report = (await server.post("/arenas/check", json=hotel)).json()
    assert report["sound"], report


@pytest.mark.parametrize("damage", [apart, tells('min(n for n, r in state["rooms"].items() if r["price_eur"] == 93)')])
async def test_a_tool_may_tell_what_the_state_has_of_another_sub_task(server: Any, hotel: Json, damage: Damage) -> None:
    damage(hotel)
    report = (await server.post("/arenas/check", json=hotel)).json()
    assert report["sound"], report


async def test_what_the_end_is_may_stand_in_the_prompt_and_what_tools_say_may_not(server: Any, hotel: Json) -> None:
    assert "Mei Tan" in hotel["prompt"]
    hotel["prompt"] += " Room 205 would be nice."
    report = (await server.post("/arenas/check", json=hotel)).json()
    assert [c["name"] for c in report["checks"] if not c["passed"]] == ["leakage"]


async def test_its_demonstration_is_in_the_order_of_the_list_one_call_at_a_time(server: Any, hotel: Json) -> None:
    apart(hotel)
    hotel["prompt"] += " Thank you."
    arena = await server.publish(hotel)
    page = (await server.get("/demonstrations", params={"limit": 100})).json()
    (found,) = [each for each in page["items"] if each["arena_id"] == arena]
    calls = [[c["function"]["name"] for c in m["tool_calls"]] for m in found["messages"] if m.get("tool_calls")]
    assert calls == [[FIND], [BOOK], [CANCEL]]
