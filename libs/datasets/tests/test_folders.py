"""A dataset on disk: complete, repeatable, and the same arenas when it is read back."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from astra_datasets.importing import Defaults, Verdict, import_row
from astra_datasets.reading import read_rows
from astra_datasets.search import Run
from astra_datasets.writing import Part, write_dataset
from astra_proto.arenas import Arena, ArenaSpec
from astra_proto.episodes import Demonstration
from astra_proto.errors import Conflict, Malformed
from astra_proto.messages import AssistantMessage, UserMessage
from astra_proto.soundness import Check, SoundnessReport

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def gate(spec: ArenaSpec) -> SoundnessReport:
    return SoundnessReport(sound=True, oracle_reward=1.0, checks=[])


async def strict(spec: ArenaSpec) -> SoundnessReport:
    failed = Check(name="leakage", passed=False, detail="it stands in the prompt")
    return SoundnessReport(sound=False, oracle_reward=1.0, checks=[failed])


async def with_episodes(arenas: list[Arena]) -> AsyncIterator[tuple[Arena, Demonstration | None]]:
    for arena in arenas:
        messages = [UserMessage(content=arena.spec.prompt), AssistantMessage(content="done")]
        tools = [tool.spec() for tool in arena.spec.tools]
        yield arena, Demonstration(arena_id=arena.id, split=arena.spec.split, tools=tools, messages=messages)


async def written(folder: Path, arenas: list[Arena], *parts: Part, **options: Any) -> Path:
    options = {"name": "Test | set", "licence": "cc-by-4.0"} | options
    await write_dataset(folder, with_episodes(arenas), parts or list(Part), **options)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


async def test_every_table_gives_the_same_arenas_back(tmp_path: Path, arenas: list[Arena], run: Run) -> None:
    folder = await written(tmp_path / "set", arenas)
    wanted = {arena.id: arena.spec for arena in arenas}
    for table in ("arenas", "rl"):
        for kind in ("jsonl", "parquet"):
            found = {}
            for file in sorted((folder / table).glob(f"*.{kind}")):
                for number, row in enumerate(read_rows(file)):
                    report, spec = await import_row(number, row, Defaults(), run, gate)
                    assert report.verdict is Verdict.SOUND, report.faults
                    assert spec is not None
                    found[spec.id()] = spec
            assert found == wanted, f"{table} as {kind}"
    row = next(read_rows(folder / "arenas" / "train.jsonl"))
    assert (await import_row(0, row, Defaults(), run, strict))[0].verdict is Verdict.UNSOUND
    for edited in (row | {"id": "ar_" + "0" * 32}, row | {"spec": "{}"}, row | {"spec": 5}):
        assert (await import_row(0, edited, Defaults(), run, gate))[0].verdict is Verdict.BROKEN


async def test_the_same_arenas_give_the_same_bytes(tmp_path: Path, arenas: list[Arena]) -> None:
    one, other = await written(tmp_path / "one", arenas), await written(tmp_path / "other", arenas)
    assert contents(one) == contents(other)


async def test_the_card_tells_what_is_there(tmp_path: Path, arenas: list[Arena]) -> None:
    folder = await written(tmp_path / "set", arenas)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    for told in (
        "2 arenas",
        "4 sub-tasks",
        "`oracle` | 2 of 2",
        "`null_agent` | 2 of 2",
        "version 2: 2",
        "28.8 %",
        "2 Harbor tasks",
        "- zh",
    ):
        assert told in card
    for file in (f for f in contents(folder) if f.endswith((".jsonl", ".parquet"))):
        assert f"`{file}`" in card
    assert pq.read_table(folder / "rl" / "train.parquet").column_names[:4] == [
        "prompt", "tool_schema", "tool_dict", "sub_qa_dict",
    ]  # fmt: skip
    (conversation,) = [json.loads(line) for line in (folder / "sft" / "train.jsonl").read_text().splitlines()]
    assert json.loads(conversation["messages"])[-1] == {"role": "assistant", "content": "done"}


async def test_names_of_strangers_stay_in_their_cells(tmp_path: Path, library: ArenaSpec) -> None:
    spec = library.model_copy(update={"domain": "a | b\n# <img src=x> [c](d)"})
    report = SoundnessReport(sound=True, oracle_reward=1.0, checks=[])
    card = (
        await written(tmp_path / "set", [Arena(id=spec.id(), spec=spec, soundness=report)]) / "README.md"
    ).read_text()
    (line,) = [line for line in card.splitlines() if line.startswith("| domain |")]
    assert line.count(" | ") == 4
    assert "<img" not in line.replace("\\<", "")


async def test_only_what_is_asked_for_and_never_over_something(tmp_path: Path, arenas: list[Arena]) -> None:
    folder = await written(tmp_path / "set", arenas, Part.RL, bare=True)
    assert {name.split("/")[0] for name in contents(folder)} == {"rl", "README.md"}
    assert all(row["arena"] is None for row in read_rows(folder / "rl" / "train.parquet"))
    with pytest.raises(Conflict):
        await written(folder, arenas)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"PAR1", b"PAR1" + b"\0" * 64 + b"PAR1", b"\xff\xfe", b"[1]\nnull\n{"])
def test_files_of_strangers(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "rows"
    file.write_bytes(raw)
    if raw.startswith(b"PAR1"):
        with pytest.raises(Malformed):
            list(read_rows(file))
    else:
        assert all(row == {} for row in read_rows(file))
