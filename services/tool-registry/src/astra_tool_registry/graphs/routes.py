"""HTTP for graphs and chains."""

from astra_proto.ids import ServerId
from astra_proto.pages import Page
from astra_proto.tools import BuildGraph, SampleChains, ToolChain, ToolGraph
from fastapi import APIRouter

from astra_tool_registry.graphs import service
from astra_tool_registry.state import Resources

router = APIRouter(tags=["graphs"])


@router.post("/servers/{server_id}/graph", summary="Build a tool graph")
async def build_graph(server_id: ServerId, state: Resources, request: BuildGraph | None = None) -> ToolGraph:
    """Builds the graph anew from what the tools say of themselves and from proposed edges, if the body has any."""
    return await service.rebuild_graph(state, server_id, request or BuildGraph())


@router.get("/servers/{server_id}/graph", summary="Get a tool graph")
async def get_graph(server_id: ServerId, state: Resources) -> ToolGraph:
    """The graph as it was last built; an import builds it."""
    return await service.get_graph(state, server_id)


@router.post("/servers/{server_id}/chains", summary="Sample tool chains")
async def sample_chains(server_id: ServerId, request: SampleChains, state: Resources) -> Page[ToolChain]:
    """Seeded random walks along the weights, without doubles; fewer than asked for if the graph has no more.

    Whether a task can give the chain its arguments is judged by whoever writes the task.
    """
    return await service.walk(state, server_id, request)
