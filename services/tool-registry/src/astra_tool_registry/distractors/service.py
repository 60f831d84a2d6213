"""Drawing distractors from the stored tools."""

import asyncio

from astra_proto.distractors import Band, DrawDistractors, DrawnDistractors
from astra_proto.messages import FunctionSpec
from sqlalchemy import select

from astra_tool_registry.distractors.bands import Candidate, by_band, draw
from astra_tool_registry.models import ServerRow, ToolRow
from astra_tool_registry.state import State


async def draw_distractors(state: State, request: DrawDistractors) -> DrawnDistractors:
    """Tools of each band, drawn by the request's seed. The registry as it stands is the pool."""
    query = select(ToolRow.server_id, ServerRow.domain, ToolRow.name, ToolRow.description, ToolRow.parameters).join(
        ServerRow, ServerRow.id == ToolRow.server_id
    )
    async with state.database.session() as session:
        rows = (await session.execute(query)).all()
    pool = [
        Candidate(server_id, domain, FunctionSpec(name=name, description=description, parameters=parameters))
        for server_id, domain, name, description, parameters in rows
    ]
    # With thousands of tools this takes its time, and nothing else shall wait for it.
    bands = await asyncio.to_thread(by_band, request.tools, request.domain, request.taken, pool)
    return DrawnDistractors(
        distractors=draw(bands, request.counts, request.seed),
        pool={band: len(bands.get(band, [])) for band in Band},
    )
