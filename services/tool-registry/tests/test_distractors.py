"""Which tools stand in which band, and which are never drawn."""

from typing import Any

import httpx2
import pytest
from astra_proto.distractors import Band, BandCounts
from astra_proto.messages import FunctionSpec
from astra_tool_registry.distractors.bands import HIGH, LOW, Candidate, by_band, draw, same_domain
from astra_tool_registry.distractors.similarity import cosine, vectors
from hypothesis import given, settings
from hypothesis import strategies as st


def tool(name: str, description: str, *parameters: str) -> FunctionSpec:
    properties = {p: {"type": "string", "description": f"The {p.replace('_', ' ')}."} for p in parameters}
    return FunctionSpec(name=name, description=description, parameters={"type": "object", "properties": properties})


ARENA = [
    tool("find_overdue_loan", "Find the overdue loan of a library member.", "member_id"),
    tool("compute_late_fine", "Compute the fine for a late loan in euros.", "days_late", "membership"),
]
FINE = "Compute the fine for a late loan in euros."
POOL = [
    Candidate("bank", "banking", tool("find_overdue_payment", "The overdue payment of a customer.", "customer_id")),
    Candidate("bank", "banking", tool("compute_loan_rate", "Compute the rate of a loan in euros.", "customer_id")),
    Candidate("mail", "email", tool("send_mail", "Send a message to somebody.", "to", "subject")),
    Candidate("mail", "email", tool("find_member_mail", "Find the mail of a member.", "member_id")),
    Candidate("weather", "weather", tool("get_forecast", "The forecast for a city.", "city")),
    Candidate("shelves", "library", tool("find_shelf", "Find the shelf of a book.", "title")),
    Candidate("shelves", "public library", tool("find_book", "Find a book by its title.", "title")),
    Candidate("double", "banking", tool("Find_Overdue_Loan", "Something else entirely.", "x")),
    Candidate("twin", "banking", tool("findOverdueLoans", "Something else entirely.", "x")),
    Candidate("copy", "banking", tool("late_fine", FINE, "days_late", "membership")),
    Candidate("zmail", "email", tool("send_mail", "Of the same name as another.", "to")),
]  # fmt: skip


def drawn(**counts: int) -> list[tuple[str, str]]:
    found = draw(by_band(ARENA, "library", [], POOL), BandCounts(**counts), seed=0)
    return [(each.band.value, each.name) for each in found]


def test_bands_go_by_likeness() -> None:
    bands = by_band(ARENA, "library", [], POOL)
    for band, found in bands.items():
        for each in found:
            assert each.band is band
            assert (each.similarity > HIGH, each.similarity < LOW) == (band is Band.HIGH, band is Band.LOW)
    assert "get_forecast" in {each.name for each in bands[Band.LOW]}
    likeness = {each.name: each.similarity for found in bands.values() for each in found}
    assert min(likeness["find_overdue_payment"], likeness["find_member_mail"]) > likeness["get_forecast"]


def test_the_arenas_domain_its_jobs_and_its_names_are_left_out() -> None:
    names = [name for _, name in drawn(high=16, medium=16, low=16)]
    assert sorted(names) == [
        "compute_loan_rate",
        "find_member_mail",
        "find_overdue_payment",
        "get_forecast",
        "send_mail",
    ]
    taken = by_band(ARENA, "library", ["SEND_MAIL"], POOL)
    assert "send_mail" not in {each.name for found in taken.values() for each in found}


def test_of_two_of_one_name_there_is_one() -> None:
    found = by_band(ARENA, "library", [], POOL)
    (mail,) = [each for band in found.values() for each in band if each.name == "send_mail"]
    assert mail.server_id == "mail"


def test_nothing_to_draw_from() -> None:
    assert draw(by_band(ARENA, "library", [], []), BandCounts(high=3), seed=0) == []


@pytest.mark.parametrize(("one", "other", "same"), [
    ("library", "Library", True), ("banking", "retail banking", True), ("email", "banking", False),
    ("图书", "图书", True),
])  # fmt: skip
def test_names_of_domains(one: str, other: str, same: bool) -> None:
    assert same_domain(one, other) is same


words = st.text("abcdefg _", min_size=0, max_size=12)


@settings(deadline=None)
@given(st.lists(st.builds(tool, words, words), min_size=2, max_size=6))
def test_likeness_is_of_one_kind(tools: list[FunctionSpec]) -> None:
    found = vectors(tools)
    for one in found:
        assert not one or cosine(one, one) == pytest.approx(1)
        for other in found:
            assert 0 <= cosine(one, other) <= 1
            assert cosine(one, other) == pytest.approx(cosine(other, one))


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**31 - 1))
def test_what_is_drawn_is_what_was_asked_for_and_the_same_again(high: int, medium: int, low: int, seed: int) -> None:
    bands = by_band(ARENA, "library", [], POOL)
    counts = BandCounts(high=high, medium=medium, low=low)
    found = draw(bands, counts, seed)
    assert found == draw(by_band(ARENA, "library", [], POOL[::-1]), counts, seed)
    for band in Band:
        assert sum(each.band is band for each in found) == min(getattr(counts, band.value), len(bands[band]))
    assert len({each.name for each in found}) == len(found)


@pytest.mark.anyio
async def test_over_http(client: httpx2.AsyncClient, notes: dict[str, Any]) -> None:
    body: dict[str, Any] = {
        "tools": [each.model_dump() for each in ARENA],
        "domain": "library",
        "counts": {"high": 1, "medium": 5, "low": 5},
    }
    empty = await client.post("/distractors", json=body)
    assert (empty.status_code, empty.json()["distractors"]) == (200, [])
    assert (await client.post("/servers", json=notes)).status_code == 201
    reply = (await client.post("/distractors", json=body)).json()
    assert {each["server_id"] for each in reply["distractors"]} == {"notes"}
    assert sum(reply["pool"].values()) == 5
    assert (await client.post("/distractors", json=body)).json() == reply
    there = {**body, "domain": "Tests"}
    assert (await client.post("/distractors", json=there)).json()["distractors"] == []
    for wrong in ({"domain": ""}, {"counts": {"high": 17}}, {"counts": {"huge": 1}}, {"tools": []}, {"seed": -1}):
        assert (await client.post("/distractors", json={**body, **wrong})).status_code == 422
