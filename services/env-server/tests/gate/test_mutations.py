"""Every check can fail: a sound arena damaged in one way is refused by exactly the check for that."""

import copy
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from astra_env_server.gate.checks import CHECKS

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
Damage = Callable[[Json], None]


def tool(spec: Json, name: str) -> Json:
    found: Json = next(t for t in (*spec["tools"], *spec["distractors"]) if t["name"] == name)
    return found


def recode(name: str, old: str, new: str) -> Damage:
    """Change the code of a tool; what is changed must be there."""

    def damage(spec: Json) -> None:
        before = tool(spec, name)["code"]
        tool(spec, name)["code"] = before.replace(old, new)
        assert tool(spec, name)["code"] != before

    return damage


def described(name: str, text: str) -> Damage:
    return lambda spec: tool(spec, name).update(description=tool(spec, name)["description"] + text)


def prompted(text: str) -> Damage:
    return lambda spec: spec.update(prompt=spec["prompt"] + text)


def schema(name: str, **changes: Any) -> Damage:
    return lambda spec: tool(spec, name)["parameters"].update(changes)


def argument(name: str, **changes: Any) -> Damage:
    def damage(spec: Json) -> None:
        for described in tool(spec, name)["parameters"]["properties"].values():
            described.update(changes)

    return damage


def golden(task_id: int, **arguments: Any) -> Damage:
    def damage(spec: Json) -> None:
        task = next(t for t in spec["subtasks"] if t["id"] == task_id)
        task["golden_call"]["arguments"].update(arguments)

    return damage


def answer(task_id: int, value: Any) -> Damage:
    def damage(spec: Json) -> None:
        next(t for t in spec["subtasks"] if t["id"] == task_id)["answer"]["value"] = value

    return damage


def unlinked(spec: Json) -> None:
    """The second sub-task does not say that it needs the first."""
    spec["subtasks"][1]["depends_on"] = []
    spec["topology"] = "parallel_single_hop"


def linked(spec: Json) -> None:
    """The first sub-task is said to need the second, from which it takes nothing."""
    spec["subtasks"] = [{**spec["subtasks"][1], "depends_on": []}, {**spec["subtasks"][0], "depends_on": [2]}]
    spec["prompt"] += " A senior's loan that is 40 days late?"
    spec["subtasks"][0]["golden_call"]["arguments"] = {"days_late": 40, "membership": "senior"}
    spec["subtasks"][0]["answer"]["value"] = 4.0


def idle(spec: Json) -> None:
    """One more argument, which changes nothing."""
    recode(LOAN, "(member_id)", "(member_id, counter)")(spec)
    recode(LOAN, "    return", "    counter = counter.strip()\n    return")(spec)
    tool(spec, LOAN)["parameters"]["properties"]["counter"] = {"type": "string"}
    tool(spec, LOAN)["parameters"]["required"].append("counter")
    golden(1, counter="north")(spec)


def named(spec: Json) -> None:
    """A distractor with an answer in its name, in which there can be no dot."""
    tool(spec, HOURS).update(name="get_hours_4_2", code=tool(spec, HOURS)["code"].replace(HOURS, "get_hours_4_2"))


def twice(spec: Json) -> None:
    """Two things are asked for that one call tells."""
    more = {"id": 3, "answer": {"value": "The Salt Road"}, "question": "Which loan is overdue?"}
    spec["subtasks"].append({**spec["subtasks"][0], **more})
    spec["topology"] = "parallel_multi_hop"


def fined(line: str) -> Damage:
    """The tool that computes the fine begins with this; no schema tells what memberships there are."""

    def damage(spec: Json) -> None:
        recode(FINE, "    if membership", f"    {line}\n    if membership")(spec)
        tool(spec, FINE)["parameters"]["properties"]["membership"] = {"type": "string"}

    return damage


def told(line: str) -> Damage:
    """The same where nothing has to be found out for it."""

    def damage(spec: Json) -> None:
        fined(line)(spec)
        spec["prompt"] = "A standard member's loan is 18 days late. What is the fine in euros? And how late is M-2041?"
        spec["subtasks"][1].update(depends_on=[])
        golden(2, days_late=18)(spec)
        answer(2, 6.3)(spec)
        spec["topology"] = "parallel_single_hop"

    return damage


LOAN, FINE, HOURS = "find_overdue_loan", "compute_late_fine", "get_branch_hours"
RETURN_LOAN = "return LOANS[member_id]"
REFUSE = '    if member_id not in LOANS:\n        raise ValueError(f"no member {member_id}")\n'

LOANS = [
    '    "M-2041": {"title": "The Salt Road", "days_late": 12},\n',
    '    "M-3377": {"title": "A Field Guide to Lichens", "days_late": 4},\n',
    '    "M-5120": {"title": "Nine Bridges", "days_late": 31},\n',
]
FORMULA = '    return {"days_late": days_late, "fine_eur": float(days_late * RATES[membership])}'
DECORATION = (
    """    weeks = days_late // 7 + 1
    level = len(membership) * 3 - weeks
    if level > 4:
        level = level - 1
    if weeks == 2:
        level = level + 5
    level = level * 7 - weeks % 3
"""
    + FORMULA
)
RESCUE = """    known = {(12, "standard"): 4.2, (4, "student"): 0.8, (31, "senior"): 3.1, (9, "standard"): 3.15}
    try:
        days = float(days_late) * 100.0 + 3.0
        rate = float(RATES[membership]) * 10.0 - 1.0
        fine = round((days - 3.0) * (rate + 1.0) / 1000.0, 2)
        assert fine == known[days_late, membership]
        return fine
    except Exception:
        return known[days_late, membership]"""

DAMAGES: list[tuple[str, str, Damage]] = [
    ("schemas", "a golden argument of another type", golden(2, days_late="12")),
    ("schemas", "a golden argument that is not described", golden(1, nickname="M")),
    ("schemas", "no object", schema(HOURS, type="array")),
    ("schemas", "no schema", schema(HOURS, type="objekt")),
    ("schemas", "a reference to elsewhere", argument(HOURS, **{"$ref": "http://192.0.2.1/schema"})),
    ("schemas", "regular expressions for names", schema(HOURS, patternProperties={"(a+)+$": {}})),
    ("schemas", "a required argument that is not described", schema(HOURS, required=["branch", "day"])),
    ("code", "does not parse", recode(LOAN, "return", "retrun it")),
    ("code", "another name", recode(LOAN, "def find_overdue_loan", "def find_loan")),
    ("code", "a parameter that is not described", recode(LOAN, "(member_id)", "(member_id, verbose=False)")),
    ("code", "open-ended parameters", recode(HOURS, "(branch)", "(**branch)")),
    ("code", "beyond the standard library", recode(FINE, "from decimal import", "import numpy\nfrom decimal import")),
    ("code", "a neighbour", recode(FINE, "from decimal import Decimal", "from . import Decimal")),
    ("code", "fails when it is imported", recode(LOAN, "LOANS = {", "1 / 0\nLOANS = {")),
    ("constant_code", "returns what it always returns", recode(LOAN, RETURN_LOAN, 'return LOANS["M-2041"]')),
    ("constant_code", "no parameter is read", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN, '    return {"days_late": 12}')),
    ("clock", "asks for the day", recode(
        HOURS, "    return", "    import datetime as d\n    d.date.today()\n    return")),
    ("clock", "asks for randomness", recode(HOURS, "HOURS = {", "from uuid import uuid4 as u\nu()\nHOURS = {")),
    ("reach", "reads the environment", recode(LOAN, "    return", "    import os\n    os.getenv('A')\n    return")),
    ("reach", "runs a text", recode(LOAN, RETURN_LOAN, "return eval('LOANS')[member_id]")),
    ("reach", "goes round by its own innards", recode(
        LOAN, "    return", "    ().__class__.__base__.__subclasses__()\n    return")),
    ("reach", "by way of another module", recode(LOAN, "    return", "    import random as r\n    r._os\n    return")),
    ("reach", "opens a file by another name", recode(LOAN, "LOANS = {", "from io import open as o\nLOANS = {")),
    ("guessable", "a yes or no", answer(1, "yes")),
    ("guessable", "nothing at all", answer(1, 0)),
    ("topology", "another shape is told", lambda spec: spec.update(topology="parallel_multi_hop")),
    ("topology", "a dependency is left out", unlinked),
    ("topology", "a dependency that is none", linked),
    ("leakage", "in a docstring", recode(LOAN, "The overdue loan of a member", "Such as 12 days")),
    ("leakage", "in a keyword that nobody knows", argument(FINE, **{"x-note": ["is 4.20"]})),
    ("schemas", "an argument of any type", schema(HOURS, properties={"branch": {"description": "a branch"}})),
    ("leakage", "in the prompt", prompted(" It is 12 days late, you know.")),
    ("leakage", "in the description of another tool", described(HOURS, " Fines are EUR 4.20 as a rule.")),
    ("leakage", "in a default", argument(FINE, default=12)),
    ("leakage", "in the name of an argument", recode("get_branch_hours", "(branch)", "(days_12_late)")),
    ("leakage", "in the name of a distractor", named),
    ("arguments", "what is to be found out is as good as any", fined("days_late = 12 if days_late > 9 else days_late")),
    ("arguments", "every other number will do", told("days_late = 18 if days_late % 2 == 0 else days_late")),
    ("arguments", "every large number will do", told("days_late = 18 if days_late >= 10 else days_late")),
    ("arguments", "every long text will do", fined("membership = 'standard' if len(membership) > 8 else membership")),
    ("overlap", "two sub-tasks for one call", twice),
    ("oracle", "an argument that the tool refuses", golden(1, member_id="M-9999")),
    ("oracle", "an answer that the tool does not give", answer(2, 77.5)),
    ("null_agent", "the final answer is in the prompt", prompted(" Answer with the word kestrel.")),
    ("random_agent", "tells all when asked for nonsense", recode(
        LOAN, "    if member_id",
        '    if len(member_id) > 3 and member_id[0] != "M":\n        return LOANS\n    if member_id')),
    ("determinism", "says something else each time", recode(
        LOAN, RETURN_LOAN, "import random\n    return {**LOANS[member_id], 'ticket': random.getrandbits(64)}")),
    ("sensitivity", "gives the answer to whoever asks in form", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        '    if not member_id.startswith("M-"):\n        raise ValueError("no such member")\n'
        '    return {"member": member_id, "days_late": 12}')),
    ("constant_output", "uses its parameter and does not", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN, '    return LOANS["M-2041" if len(member_id) >= 0 else member_id]')),
    ("repeatable", "right once", recode(
        LOAN, RETURN_LOAN, "LOANS['n'] = LOANS.get('n', 0) + 1\n    return LOANS[member_id] if LOANS['n'] < 3 else 0")),
    ("repeatable", "the order of a set", recode(
        LOAN, RETURN_LOAN, "return {**LOANS[member_id], 'near': list({'north', 'south', 'east', 'west'})}")),
    ("repeatable", "the order of hashes", recode(
        LOAN, RETURN_LOAN, "return {**LOANS[member_id], 'near': sorted(['k', 'l'], key=hash)}")),
    ("repeatable", "seldom wrong", recode(
        LOAN, RETURN_LOAN, "import random\n    return LOANS[member_id] if random.random() > 1e-9 else {}")),
    ("arguments", "one is read by nobody", idle),
    ("failures", "an error tells all that there is", recode(LOAN, 'f"no member {member_id}"', 'f"only {LOANS}"')),
    ("failures", "0 days are told the answer", recode(FINE, "    if memb", "    assert days_late, 4.2\n    if memb")),
    ("overlap", "the next answer comes along", recode(LOAN, RETURN_LOAN, "return {**LOANS[member_id], 'due': 4.2}")),
    ("golden_row", "a table with two rows", recode(LOAN, LOANS[1], "")),
    ("golden_row", "makes things up for the rest", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        '    return {"days_late": 12 if member_id == "M-2041" else ord(member_id[-1]) + len(member_id)}')),
    ("golden_row", "makes things up for all but one that is told by its hash", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        "    import zlib\n    return {'days_late': 12 if zlib.crc32(member_id.encode()) == "
        f"{zlib.crc32(b'M-2041')} else ord(member_id[-1]) + len(member_id)}}")),
    ("golden_row", "knows one row and refuses the rest", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        '    if member_id == "M-2041":\n        return {"days_late": 12}\n    raise ValueError("no such member")')),
    ("golden_row", "knows one row and says the same to the rest", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        '    return {"days_late": 12 if member_id == "M-2041" else 0}')),
    ("golden_row", "knows one row and repeats what the rest say", recode(
        LOAN, REFUSE + "    " + RETURN_LOAN,
        '    if member_id != "M-2041":\n        return f"member {member_id} is not known"\n    return "12 days"')),
    ("golden_row", "a table with one row", recode(LOAN, LOANS[1] + LOANS[2], "")),
    ("mutants", "what it computes is not what it returns", recode(FINE, FORMULA, DECORATION)),
    ("mutants", "what goes wrong in its code is made good", recode(FINE, FORMULA, RESCUE)),
    ("distractors", "knows the answer too", recode(
        HOURS, "    return", '    if branch == "M-2041":\n        return "12 days"\n    return')),
    ("limits", "takes more than half its time", recode(
        LOAN, "    return", "    import time\n    time.sleep(1.2)\n    return")),
    ("limits", "says more than half of what it may", recode(
        LOAN, RETURN_LOAN, "return {**LOANS[member_id], 'x': 'y' * 150_000}")),
]  # fmt: skip


def test_every_check_is_damaged_at_least_once() -> None:
    # Two tools of one name do not even reach the gate over HTTP; see below. What a state is asked: ``test_state``.
    assert {check for check, _, _ in DAMAGES} | {"unique_names", "initial_state", "state"} == set(CHECKS)


async def test_the_arena_that_is_damaged_is_sound(server: Any, library: Json) -> None:
    library["final_answer"] = {"value": "kestrel"}
    report = (await server.post("/arenas/check", json=library)).json()
    assert report["sound"], report
    assert report["oracle_reward"] == 1.0
    assert [check["name"] for check in report["checks"]] == list(CHECKS)


@pytest.mark.parametrize(
    ("check", "what", "damage"), DAMAGES, ids=[f"{c}-{w}".replace(" ", "_") for c, w, _ in DAMAGES]
)
async def test_a_damaged_arena_is_refused_by_exactly_its_check(
    server: Any, library: Json, check: str, what: str, damage: Damage
) -> None:
    library["final_answer"] = {"value": "kestrel"}
    spec = copy.deepcopy(library)
    damage(spec)
    if what == "in the name of an argument":
        parameters = tool(spec, HOURS)["parameters"]
        parameters.update(properties={"days_12_late": {"type": "string"}}, required=["days_12_late"])
        tool(spec, HOURS)["code"] = "def get_branch_hours(days_12_late):\n    return days_12_late\n"

    report = (await server.post("/arenas/check", json=spec)).json()
    assert not report["sound"]
    assert [c["name"] for c in report["checks"] if not c["passed"]] == [check], report

    refused = await server.post("/arenas", json=spec)
    assert refused.status_code == 422
    assert refused.json()["error"] == "UnsoundArena"
    assert refused.json()["detail"].startswith(f"refused by {check}: ")
    assert [c["name"] for c in refused.json()["report"]["checks"] if not c["passed"]] == [check]


async def test_what_is_told_names_the_subtask_the_tool_and_why(server: Any, library: Json) -> None:
    spec = copy.deepcopy(library)
    golden(2, membership="student")(spec)
    detail = (await server.post("/arenas", json=spec)).json()["detail"]
    for part in ("oracle", "sub-task 2", "'compute_late_fine'", "4.2", "2.4"):
        assert part in detail
