"""How hard arenas were found to be: counted by policy and shape, told in datasets and their cards."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from astra_datasets.difficulty import Hardness, difficulty
from astra_datasets.mix import Facts, mix
from astra_datasets.writing import Part, write_dataset
from astra_proto.arenas import Arena
from astra_proto.episodes import Demonstration
from astra_proto.errors import NotFound
from astra_proto.solve_rates import SolveRate, SolveRates

AT = datetime(2026, 1, 1, tzinfo=UTC)


def rates(**solved: float) -> SolveRates:
    return {
        name: SolveRate(episodes=4, solve_rate=share, f1=share, source="ev", measured_at=AT)
        for name, share in solved.items()
    }


ARENAS = [
    Hardness("single_hop", 1, rates(base=0.25, rl=1.0, sft=1.0)),
    Hardness("multi_hop", 3, rates(base=0.0, rl=0.75, sft=0.25)),
    Hardness("multi_hop", 3, rates(base=0.0, rl=0.25)),
    Hardness("multi_hop", 4, rates(base=1.0, rl=0.25, sft=0.5)),
    Hardness("multi_hop", 4, {}),
]


def test_the_weakest_comes_first_and_is_compared_with_the_strongest() -> None:
    found = difficulty(ARENAS)
    assert (found.arenas, found.measured, [*found.policies]) == (5, 4, ["base", "rl", "sft"])
    assert (found.policies["rl"].arenas, found.policies["rl"].episodes) == (4, 16)
    assert found.policies["rl"].solve_rate == pytest.approx(2.25 / 4)
    assert found.sides is not None
    assert (found.sides.weak, found.sides.strong) == ("base", "sft")
    assert (found.sides.both, found.sides.strong_only, found.sides.weak_only, found.sides.neither) == (0, 1, 1, 1)
    assert [(shape.topology, shape.hops, shape.arenas) for shape in found.by_shape] == [
        ("multi_hop", 3, 2), ("multi_hop", 4, 2), ("single_hop", 1, 1),
    ]  # fmt: skip
    assert found.by_shape[0].solve_rates == {"base": 0.0, "sft": 0.25, "rl": 0.5}


def test_the_two_may_be_chosen_and_must_have_been_measured() -> None:
    sides = difficulty(ARENAS, weak="sft", strong="rl").sides
    assert sides is not None
    assert (sides.weak, sides.strong, sides.both, sides.strong_only, sides.neither) == ("sft", "rl", 1, 1, 1)
    assert difficulty(ARENAS, strong="base").sides is not None
    with pytest.raises(NotFound, match="gpt"):
        difficulty(ARENAS, strong="gpt")


def test_where_nothing_was_measured_nothing_is_claimed() -> None:
    found = difficulty([Hardness("single_hop", 1, {})])
    assert (found.measured, found.policies, found.sides) == (0, {}, None)
    alone = difficulty([Hardness("single_hop", 1, rates(base=0.5))])
    assert alone.sides is None


@pytest.mark.anyio
async def test_datasets_tell_it_in_both_tables_and_on_the_card(tmp_path: Path, arenas: list[Arena]) -> None:
    first = arenas[0].model_copy(update={"solve_rates": rates(base=0.25, rl=0.75)})

    async def found() -> AsyncIterator[tuple[Arena, Demonstration | None]]:
        for arena in (first, arenas[1]):
            yield arena, None

    parts = [Part.ARENAS, Part.RL]
    written = await write_dataset(tmp_path / "set", found(), parts, name="n", licence="mit")
    assert [*written.mix.policies] == ["base", "rl"]
    for table in ("arenas", "rl"):
        lines = (tmp_path / "set" / table / "train.jsonl").read_text().splitlines()
        (told,) = [json.loads(json.loads(line)["solve_rates"]) for line in lines]
        assert told["rl"]["solve_rate"] == 0.75
        assert pq.read_table(tmp_path / "set" / table / "validation.parquet")["solve_rates"].to_pylist() == ["{}"]
    card = (tmp_path / "set" / "README.md").read_text()
    assert "| rl | 1 of 2 | 4 | 75.0 % | 0.750 |" in card
    assert card.index("| base |") < card.index("| rl |")


def test_a_mix_has_it(arenas: list[Arena]) -> None:
    facts = [Facts.of_spec(arenas[0].spec, rates(base=0.5)), Facts.of_spec(arenas[1].spec)]
    assert mix(facts).policies["base"].arenas == 1
