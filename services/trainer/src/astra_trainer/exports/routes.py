"""Routes of the exports: JSON lines, streamed."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from astra_proto.arenas import Split
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from astra_trainer.data.pull import rl_prompts, sft_rows
from astra_trainer.state import StateDep

router = APIRouter(prefix="/exports", tags=["exports"])
NDJSON = "application/x-ndjson"
SplitQuery = Annotated[Split, Query(description="Which split to export.")]
OK: dict[int | str, dict[str, Any]] = {200: {"content": {NDJSON: {"schema": {"type": "string"}}}}}


@router.get("/sft", summary="Conversations to imitate", response_class=StreamingResponse, responses=OK)
async def export_sft(state: StateDep, split: SplitQuery = Split.TRAIN) -> StreamingResponse:
    """Golden episodes of the split's arenas and, with `train`, the kept trajectories: one `SFTRow` a line."""
    return await _stream(sft_rows(state.envs, state.synth, split))


@router.get("/rl", summary="Arenas to practise in", response_class=StreamingResponse, responses=OK)
async def export_rl(state: StateDep, split: SplitQuery = Split.TRAIN) -> StreamingResponse:
    """The split's arenas as an agent sees them: one `RLPrompt` a line."""
    return await _stream(rl_prompts(state.envs, split))


async def _stream(rows: AsyncIterator[BaseModel]) -> StreamingResponse:
    """Begin to answer only when the first row is there, so that a service that is away is a 503 and no empty file."""
    first = await anext(rows, None)

    async def lines() -> AsyncIterator[bytes]:
        if first is not None:
            yield first.model_dump_json().encode() + b"\n"
        async for row in rows:
            yield row.model_dump_json().encode() + b"\n"

    return StreamingResponse(lines(), media_type=NDJSON)
