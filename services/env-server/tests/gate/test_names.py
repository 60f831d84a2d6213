"""An answer in a name: no name has dashes, dots or spaces, so its words are compared; and names that are taken."""

from typing import Any

import pytest
from astra_env_server.gate.leakage import tells_an_answer
from astra_proto.arenas import ArenaSpec
from astra_proto.messages import FunctionSpec


def named(name: str, argument: str = "key") -> FunctionSpec:
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}}
    return FunctionSpec(name=name, description="Looks something up.", parameters=parameters)


def asking_for(library: ArenaSpec, answer: object) -> ArenaSpec:
    task = library.subtasks[0].model_dump() | {"answer": {"value": answer}}
    return ArenaSpec.model_validate(library.model_dump() | {"subtasks": [task], "topology": "single_hop"})


@pytest.mark.parametrize(("answer", "name"), [
    ("AB-1234", "row_of_AB_1234"), ("AB-1234", "rowOfAB1234"), ("AB-1234", "row_ab1234"), ("4.2", "fee_4_2"),
    (4.2, "fee_4_2"), ("The Salt Road", "find_the_salt_road_entry"), ("North-East", "northeast_wind"),
    ("B-17", "find_b17"), ("2024-03-01", "on_2024_03_01"), (372, "get_372"), ("Ann", "askAnnFirst"),
])  # fmt: skip
def test_an_answer_in_a_name_is_seen_however_its_words_are_joined(
    library: dict[str, object], answer: object, name: str
) -> None:
    spec = asking_for(ArenaSpec.model_validate(library), answer)
    assert tells_an_answer(spec, named(name))
    assert tells_an_answer(spec, named("look_up", name))


@pytest.mark.parametrize(("answer", "name"), [
    (4.2, "fee_42"), ("42", "route_142"), ("AB-1234", "row_of_1234"), ("North-East", "northeastern_wind"),
    ("B-17", "find_b_17x"), ("Ann", "plan_annex"), (372, "get_3720"), ("总价", "get_total"), ("—", "get_total"),
    (7, "7up"),
])  # fmt: skip
def test_what_is_only_like_it_is_not(library: dict[str, object], answer: object, name: str) -> None:
    spec = asking_for(ArenaSpec.model_validate(library), answer)
    assert not tells_an_answer(spec, named(name))


@pytest.mark.anyio
async def test_two_tools_of_one_name_are_refused_before_and_by_the_gate(server: Any, library: dict[str, Any]) -> None:
    library["distractors"][0]["name"] = library["tools"][0]["name"]
    refused = await server.post("/arenas", json=library)
    assert refused.status_code == 422
    assert "names must be unique" in refused.json()["detail"]
