"""Stored graphs, and chains walked from them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from astra_proto.errors import Invalid
from astra_proto.pages import Page
from astra_proto.tools import BuildGraph, SampleChains, ToolChain, ToolGraph

from astra_tool_registry.graphs.build import Weights, build_graph
from astra_tool_registry.graphs.walks import sample_chains
from astra_tool_registry.servers import repository
from astra_tool_registry.state import State


def weights(proposed: Sequence[dict[str, Any]]) -> Weights:
    """Proposed edges by their ends; one that was proposed more than once counts as often."""
    found: dict[tuple[str, str], float] = {}
    for edge in proposed:
        pair = (edge["source"], edge["target"])
        found[pair] = found.get(pair, 0.0) + edge["weight"]
    return found


async def rebuild_graph(state: State, server_id: str, request: BuildGraph) -> ToolGraph:
    """Build the graph with these proposals and keep both.

    Raises: NotFound; Invalid if a proposal names a tool that the server does not offer.
    """
    proposed = [edge.model_dump(mode="json") for edge in request.proposed]
    async with state.database.session() as session:
        row = await repository.find_server(session, server_id, locked=True)
        tools = (await repository.tools_of(session, [server_id])).get(server_id, [])
        names = {tool.name for tool in tools}
        for index, edge in enumerate(request.proposed):
            if edge.source == edge.target or not {edge.source, edge.target} <= names:
                raise Invalid(
                    f"proposed[{index}]: an edge leads from one tool of {server_id!r} to another; "
                    f"{edge.source!r} to {edge.target!r} does not. Its tools are {sorted(names)[:50]}"
                )
        graph = await asyncio.to_thread(build_graph, server_id, tools, weights(proposed))
        row.proposed, row.graph = proposed, graph.model_dump(mode="json")
    return graph


async def get_graph(state: State, server_id: str) -> ToolGraph:
    """The graph as it was last built: at import, or with proposals since."""
    async with state.database.session() as session:
        return ToolGraph.model_validate((await repository.find_server(session, server_id)).graph)


async def walk(state: State, server_id: str, request: SampleChains) -> Page[ToolChain]:
    """Chains walked from the graph."""
    graph = await get_graph(state, server_id)
    return Page(items=await asyncio.to_thread(sample_chains, graph, request), next_cursor=None)
