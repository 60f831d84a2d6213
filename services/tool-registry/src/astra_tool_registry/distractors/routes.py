"""HTTP for distractors."""

from astra_proto.distractors import DrawDistractors, DrawnDistractors
from fastapi import APIRouter

from astra_tool_registry.distractors import service
from astra_tool_registry.state import Resources

router = APIRouter(tags=["distractors"])


@router.post("/distractors", summary="Draw distractors")
async def draw_distractors(request: DrawDistractors, state: Resources) -> DrawnDistractors:
    """Tools of other domains that look much, somewhat or little like the given ones, and do not do their job.

    The same request gives the same tools while the registry holds the same.
    """
    return await service.draw_distractors(state, request)
