"""The graph of a server: from what its tools say of themselves, and from what was proposed.

The paper takes edges from chains that a model writes (§3.1.2); here the weighted graph also stands without a model.
"""

from collections.abc import Iterable, Mapping

import networkx as nx
from astra_proto.tools import Edge, EdgeEvidence, Tool, ToolGraph

from astra_tool_registry.graphs.fields import Facts, Parameter, read_tools
from astra_tool_registry.graphs.words import Stage, stem

FEEDS_DECLARED = 2.0
"""A field of the declared output is a parameter of the next tool, by name and type."""
FEEDS_LIKELY = 1.5
"""The next tool takes hold (``order_id``) of the kind of thing that this one makes or reads."""
OPTIONAL = 0.5
"""Part that counts if the parameter is optional."""
SHARED_NAME = 1.0
"""Both name the same thing."""
SHARED_TEXT = 0.25
"""One names what the other only tells of."""
IN_ORDER = {0: 0.0, 1: 1.0, 2: 0.6, 3: 0.3}
"""By stages forward: the next stage is likelier than the one after."""
BACKWARD = 0.2
"""Part of shared things that counts when the second tool belongs before the first, as reading after an update does."""
MOST_EDGES_PER_TOOL = 32

Weights = Mapping[tuple[str, str], float]


def build_graph(server_id: str, tools: Iterable[Tool], proposed: Weights | None = None) -> ToolGraph:
    """Nodes in the order of the tools; an edge wherever there is evidence, its weight the sum of it.

    Proposals between tools that do not exist are left out. The same input gives the same graph.
    """
    known = read_tools(tools)
    vocabulary: frozenset[str] = frozenset().union(*(f.named for f in known))
    names = {f.name for f in known}
    proposals = {pair: w for pair, w in (proposed or {}).items() if pair[0] != pair[1] and set(pair) <= names}
    edges: list[Edge] = []
    for source in known:
        out: list[Edge] = []
        for target in known:
            if source is not target:
                evidence = _evidence(source, target, vocabulary)
                if (weight := proposals.get((source.name, target.name))) is not None:
                    evidence[EdgeEvidence.PROPOSED] = weight
                if evidence:
                    total = round(sum(evidence.values()), 6)
                    out.append(Edge(source=source.name, target=target.name, weight=total, evidence=evidence))
        edges += sorted(out, key=lambda e: (-e.weight, e.target))[:MOST_EDGES_PER_TOOL]
    return ToolGraph(server_id=server_id, nodes=[f.name for f in known], edges=edges)


def as_networkx(graph: ToolGraph) -> "nx.DiGraph[str]":
    """The graph for algorithms: ``weight`` on each edge."""
    net: nx.DiGraph[str] = nx.DiGraph()
    net.add_nodes_from(graph.nodes)
    net.add_weighted_edges_from((edge.source, edge.target, edge.weight) for edge in graph.edges)
    return net


def _evidence(source: Facts, target: Facts, vocabulary: frozenset[str]) -> dict[EdgeEvidence, float]:
    feeds = max((_feeds(source, parameter) for parameter in target.parameters), default=0.0)
    shared = SHARED_NAME if source.named & target.named else 0.0
    if not shared and (source.named & target.told | source.told & target.named) & vocabulary:
        shared = SHARED_TEXT
    if not feeds and not shared:
        return {}  # an order of verbs alone would join everything with everything
    forward = None if source.stage is None or target.stage is None else target.stage - source.stage
    if source.stage is Stage.END and target.stage is not Stage.READ:
        return {}  # of what is gone one can only look whether it is
    if forward is not None and forward < 0:
        shared, feeds = shared * BACKWARD, feeds * BACKWARD
    order = IN_ORDER.get(forward, 0.0) if forward is not None else 0.0
    found = {EdgeEvidence.OUTPUT_FEEDS_INPUT: feeds, EdgeEvidence.SHARED_ENTITY: shared, EdgeEvidence.VERB_ORDER: order}
    return {evidence: round(weight, 6) for evidence, weight in found.items() if weight > 0}


def _feeds(source: Facts, parameter: Parameter) -> float:
    part = 1.0 if parameter.required else OPTIONAL
    for name, kind in source.outputs.items():
        same = _spelled(name) == _spelled(parameter.name)
        own_handle = parameter.thing in source.acts_on and _spelled(parameter.name).endswith(_spelled(name))
        if (same or own_handle) and (kind is None or parameter.type is None or kind == parameter.type):
            return FEEDS_DECLARED * part
    if not source.outputs and source.stage is not Stage.END and parameter.thing in source.acts_on:
        return FEEDS_LIKELY * part
    return 0.0


def _spelled(name: str) -> str:
    return stem(name.replace("_", "").replace("-", ""))
