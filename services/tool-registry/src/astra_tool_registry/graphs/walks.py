"""Chains by seeded random walks along the weights: never an enumeration, whose size explodes with length."""

import random
from collections.abc import Sequence
from itertools import pairwise

from astra_proto.errors import Invalid
from astra_proto.tools import SampleChains, ToolChain, ToolGraph

from astra_tool_registry.graphs.build import as_networkx

_TRIES_PER_CHAIN = 50
_TRIES_AT_LEAST = 500


def sample_chains(graph: ToolGraph, wanted: SampleChains) -> list[ToolChain]:
    """Up to ``wanted.count`` different chains; fewer if the walks find no more. The same seed gives the same chains.

    A walk begins at a tool that leads to more than leads to it, aims at a length drawn evenly from the bounds, and
    keeps what it has if it gets stuck at or above the lower bound.

    Raises: Invalid if no walk reaches ``min_length``.
    """
    net = as_networkx(graph)
    if wanted.min_length > 1 and net.number_of_edges() == 0:
        raise Invalid(
            f"min_length: the graph of {graph.server_id!r} has no edges, so it has no chain of {wanted.min_length} "
            "tools. Ask for min_length 1, or give the graph proposed edges"
        )
    steps = {node: {t: float(net[node][t]["weight"]) for t in net.successors(node)} for node in graph.nodes}
    totals = {node: sum(out.values()) for node, out in steps.items()}
    chance = random.Random(wanted.seed)
    into = {node: sum(float(net[s][node]["weight"]) for s in net.predecessors(node)) for node in graph.nodes}
    starts = [(1.0 + totals[node]) / (1.0 + into[node]) for node in graph.nodes]
    found: dict[tuple[str, ...], float] = {}
    longest = 0
    for _ in range(max(_TRIES_AT_LEAST, wanted.count * _TRIES_PER_CHAIN)):
        if len(found) == wanted.count:
            break
        walk = _walk(
            graph.nodes, starts, steps, chance, chance.randint(wanted.min_length, wanted.max_length), wanted.acyclic
        )
        longest = max(longest, len(walk))
        if len(walk) >= wanted.min_length and walk not in found:
            weight = 1.0
            for source, target in pairwise(walk):
                weight *= steps[source][target] / totals[source]
            found[walk] = weight
    if not found:
        raise Invalid(
            f"min_length: no walk of {wanted.min_length} tools was found in the graph of {graph.server_id!r}; "
            f"the longest had {longest}. Ask for shorter chains"
        )
    return [ToolChain(server_id=graph.server_id, tools=list(walk), weight=weight) for walk, weight in found.items()]


def _walk(
    nodes: Sequence[str],
    starts: Sequence[float],
    steps: dict[str, dict[str, float]],
    chance: random.Random,
    length: int,
    acyclic: bool,
) -> tuple[str, ...]:
    walk = chance.choices(nodes, starts)
    while len(walk) < length:
        onward = {t: w for t, w in steps[walk[-1]].items() if not (acyclic and t in walk)}
        if not onward:
            break
        walk += chance.choices(list(onward), list(onward.values()))
    return tuple(walk)
