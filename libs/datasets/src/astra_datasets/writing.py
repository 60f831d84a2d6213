"""A dataset of arenas as a folder: tables, Harbor tasks, a card."""

import json
from collections.abc import AsyncIterator, Collection
from enum import StrEnum
from pathlib import Path

from astra_proto.arenas import Arena
from astra_proto.episodes import Demonstration
from astra_proto.errors import Conflict
from pydantic import BaseModel

from astra_datasets.card import Ledger, write_card
from astra_datasets.harbor.folder import write_task
from astra_datasets.mix import Facts, Mix, mix
from astra_datasets.rows import rates_text, row_of
from astra_datasets.tables import Tables


class Part(StrEnum):
    """What a dataset may hold."""

    ARENAS = "arenas"
    """Whole arenas."""
    RL = "rl"
    """Rows in the shape of the public RL data."""
    SFT = "sft"
    """Golden episodes as conversations."""
    HARBOR = "harbor"
    """A folder of a Harbor task for each arena."""


class Written(BaseModel):
    """What was written."""

    folder: str
    mix: Mix
    tasks: int
    """Harbor tasks."""


async def write_dataset(
    folder: Path,
    arenas: AsyncIterator[tuple[Arena, Demonstration | None]],
    parts: Collection[Part],
    *,
    name: str,
    licence: str,
    bare: bool = False,
) -> Written:
    """Write a dataset into a folder that is empty or not there. Raises Conflict if it holds something.

    ``arenas`` come with their golden episodes where ``parts`` has those. The same arenas in the same order, found to be
    as hard, give the same files, byte by byte.
    """
    _begin(folder)
    ledger, tasks = Ledger(), 0
    with Tables(folder) as tables:
        async for arena, episode in arenas:
            ledger.add(arena)
            split = arena.spec.split.value
            if Part.ARENAS in parts:
                tables.add("arenas", split, arena_row(arena))
            if Part.RL in parts:
                tables.add("rl", split, row_of(arena.spec, arena.solve_rates, bare=bare).model_dump(mode="json"))
            if Part.SFT in parts and episode is not None:
                tables.add("sft", split, _conversation(episode))
            if Part.HARBOR in parts:
                write_task(arena, folder / "harbor")
                tasks += 1
    write_card(folder, ledger, name=name, licence=licence, tasks=tasks)
    return Written(folder=str(folder), mix=mix(ledger.facts), tasks=tasks)


def _begin(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is not empty: name a folder that is not there")
    folder.mkdir(parents=True, exist_ok=True)


def arena_row(arena: Arena) -> dict[str, str | int]:
    """A whole arena as one row."""
    spec, facts = arena.spec, _columns(arena)
    return {
        "id": arena.id,
        **facts,
        "prompt": spec.prompt,
        "spec": spec.model_dump_json(),
        "soundness": arena.soundness.model_dump_json(),
        "solve_rates": rates_text(arena.solve_rates),
    }


def _columns(arena: Arena) -> dict[str, str | int]:
    """The columns that one may look for."""
    facts = Facts.of_spec(arena.spec)
    return {
        "split": str(facts.split),
        "domain": facts.domain,
        "language": facts.language,
        "topology": str(facts.topology),
        "hops": facts.hops,
        "subtasks": facts.subtasks,
        "teacher": facts.teacher,
    }


def _conversation(episode: Demonstration) -> dict[str, str]:
    plain = episode.model_dump(mode="json", exclude_none=True)
    return {
        "arena_id": plain["arena_id"],
        "split": plain["split"],
        "tools": json.dumps(plain["tools"], ensure_ascii=False),
        "messages": json.dumps(plain["messages"], ensure_ascii=False),
    }
