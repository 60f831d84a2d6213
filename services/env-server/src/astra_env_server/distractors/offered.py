"""An arena with the tools that were drawn for one env among its own."""

import random
from collections.abc import Sequence
from dataclasses import replace

from astra_proto.distractors import BandCounts, Distractor
from astra_proto.messages import ToolSpec
from pydantic import TypeAdapter

from astra_env_server.arenas.arguments import ArgumentSchema
from astra_env_server.arenas.playable import Playable

_DRAWN = TypeAdapter(list[Distractor])


def stored(drawn: Sequence[Distractor]) -> str | None:
    """What is kept of them with the env."""
    return _DRAWN.dump_json(list(drawn)).decode() if drawn else None


def counts(kept: str | None) -> BandCounts:
    """How many were drawn of each band. Which ones they are is for the agent to find out."""
    drawn = _DRAWN.validate_json(kept) if kept else []
    bands = [each.band.value for each in drawn]
    return BandCounts(**{band: bands.count(band) for band in set(bands)})


def offered(arena: Playable, kept: str | None, seed: int) -> Playable:
    """The arena as an env with these distractors offers it, its tools in an order that follows from the seed.

    Without any it is the arena itself. A drawn tool is never run: it takes arguments that fit, and then its service
    does not answer.
    """
    if not kept:
        return arena
    drawn = _DRAWN.validate_json(kept)
    tools = [*arena.tools, *(ToolSpec(function=each.function) for each in drawn)]
    tools.sort(key=lambda tool: tool.function.name)
    random.Random(f"{arena.id}/{seed}").shuffle(tools)
    schemas = {each.name: ArgumentSchema(each.function.parameters) for each in drawn}
    return replace(arena, tools=tools, schemas=arena.schemas | schemas, unserved=frozenset(each.name for each in drawn))
