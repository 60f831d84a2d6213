"""What a graph says of a server's tools, and what walks along it."""

from itertools import pairwise
from typing import Any

import pytest
from astra_proto.errors import Invalid
from astra_proto.tools import Edge, EdgeEvidence, SampleChains, Tool, ToolGraph
from astra_tool_registry.graphs.build import MOST_EDGES_PER_TOOL, build_graph
from astra_tool_registry.graphs.walks import sample_chains
from astra_tool_registry.graphs.words import Stage, pieces, stage_of, stem
from hypothesis import given
from hypothesis import strategies as st


def tool(name: str, description: str = "", output: dict[str, Any] | None = None, **parameters: str) -> Tool:
    """A tool whose parameters are all required: ``order_id="string"``."""
    schema = {
        "type": "object",
        "properties": {n: {"type": t} for n, t in parameters.items()},
        "required": list(parameters),
    }
    shown = {"type": "object", "properties": output} if output else None
    return Tool(server_id="shop", name=name, description=description, parameters=schema, output_schema=shown)


SHOP = [
    tool("create_order", "Place an order.", customer_id="string"),
    tool("get_order", "Read an order.", order_id="string"),
    tool("update_order", "Change an order.", order_id="string"),
    tool("delete_order", "Remove an order.", order_id="string"),
    tool("create_customer", "Register a customer.", email="string"),
    tool("get_weather", "Tell the weather.", city="string"),
]


def weights(graph: ToolGraph) -> dict[tuple[str, str], float]:
    return {(edge.source, edge.target): edge.weight for edge in graph.edges}


def evidence(graph: ToolGraph, source: str, target: str) -> dict[EdgeEvidence, float]:
    return next((e.evidence for e in graph.edges if (e.source, e.target) == (source, target)), {})


def test_words() -> None:
    assert [stem(word) for word in ("tables", "queries", "branches", "staged", "staging", "status", "Shows")] == [
        "tabl", "query", "branch", "stag", "stag", "status", "show",
    ]  # fmt: skip
    assert pieces("getHTTPOrder_items2-now") == ["get", "http", "order", "item", "2", "now"]
    assert stage_of("git_branch", "List Git branches") is Stage.READ
    assert stage_of("frobnicate", "Frobs a nicate") is None


def test_verbs_go_from_making_over_reading_and_changing_to_the_end() -> None:
    found = weights(build_graph("shop", SHOP))
    for earlier, later in pairwise(("create_order", "get_order", "update_order", "delete_order")):
        assert found[earlier, later] > found.get((later, earlier), 0)
    assert ("delete_order", "update_order") not in found
    assert ("delete_order", "get_order") in found


def test_a_thing_that_is_made_feeds_a_tool_that_takes_hold_of_it() -> None:
    graph = build_graph("shop", SHOP)
    assert evidence(graph, "create_customer", "create_order")[EdgeEvidence.OUTPUT_FEEDS_INPUT] > 0
    assert EdgeEvidence.OUTPUT_FEEDS_INPUT not in evidence(graph, "create_order", "create_customer")


def test_a_declared_output_feeds_by_name_and_type_only() -> None:
    tools = [
        tool("find_flight", "Look up.", {"fare_code": {"type": "string"}, "price": {"type": "number"}}, city="string"),
        tool("apply_fare", "Fares.", fare_code="string"),
        tool("pay_bill", "Bills.", price="string"),
    ]
    graph = build_graph("x", tools)
    assert EdgeEvidence.OUTPUT_FEEDS_INPUT in evidence(graph, "find_flight", "apply_fare")
    assert EdgeEvidence.OUTPUT_FEEDS_INPUT not in evidence(graph, "find_flight", "pay_bill")


def test_what_has_nothing_in_common_is_not_joined() -> None:
    assert not [edge for edge in build_graph("shop", SHOP).edges if "get_weather" in (edge.source, edge.target)]


def test_a_name_that_all_tools_share_joins_nothing() -> None:
    tools = [
        tool("zoo_lion", repo_path="string"),
        tool("zoo_palm", repo_path="string"),
        tool("zoo_cage", repo_path="string"),
    ]
    assert build_graph("zoo", tools).edges == []


def test_every_weight_is_the_sum_of_its_evidence() -> None:
    graph = build_graph("shop", SHOP, {("get_weather", "create_order"): 3.0, ("get_weather", "gone"): 5.0})
    assert graph.nodes == [t.name for t in SHOP]
    for edge in graph.edges:
        assert edge.weight == pytest.approx(sum(edge.evidence.values()))
        assert edge.source != edge.target
    assert evidence(graph, "get_weather", "create_order") == {EdgeEvidence.PROPOSED: 3.0}
    assert graph == build_graph("shop", SHOP, {("get_weather", "create_order"): 3.0, ("get_weather", "gone"): 5.0})


def test_a_large_server_keeps_its_strongest_edges() -> None:
    graph = build_graph("big", [tool(f"get_item_{chr(97 + i % 26)}{i}", item_id="string") for i in range(120)])
    out = [edge.source for edge in graph.edges]
    assert max(map(out.count, graph.nodes)) <= MOST_EDGES_PER_TOOL


names = st.integers(0, 7).map(lambda i: f"t{i}")
graphs = st.builds(
    lambda pairs: ToolGraph(
        server_id="g",
        nodes=[f"t{i}" for i in range(8)],
        edges=[Edge(source=s, target=t, weight=w, evidence={}) for (s, t), w in pairs.items() if s != t],
    ),
    st.dictionaries(st.tuples(names, names), st.floats(0.01, 100), max_size=40),
)
wishes = st.builds(
    lambda low, extra, **rest: SampleChains(min_length=low, max_length=min(8, low + extra), **rest),
    st.integers(1, 8),
    st.integers(0, 7),
    count=st.integers(1, 30),
    seed=st.integers(0, 2**31 - 1),
    acyclic=st.booleans(),
)


@given(graph=graphs, wish=wishes)
def test_walks_keep_to_the_graph_and_to_the_wish(graph: ToolGraph, wish: SampleChains) -> None:
    steps = weights(graph)
    try:
        chains = sample_chains(graph, wish)
    except Invalid:
        assert wish.min_length > 1
        return
    assert chains == sample_chains(graph, wish)
    walks = [tuple(chain.tools) for chain in chains]
    assert 1 <= len(walks) <= wish.count
    assert len(set(walks)) == len(walks)
    for chain in chains:
        assert wish.min_length <= len(chain.tools) <= wish.max_length
        assert not wish.acyclic or len(set(chain.tools)) == len(chain.tools)
        product = 1.0
        for source, target in pairwise(chain.tools):
            product *= steps[source, target] / sum(w for (s, _), w in steps.items() if s == source)
        assert chain.weight == pytest.approx(product)


def test_another_seed_gives_other_walks() -> None:
    graph = build_graph("shop", SHOP)
    one, two = (sample_chains(graph, SampleChains(count=5, seed=seed)) for seed in (1, 2))
    assert one != two


def test_walks_follow_the_weights() -> None:
    edges = [Edge(source="a", target=t, weight=w, evidence={}) for t, w in (("b", 99.0), ("c", 1.0))]
    graph = ToolGraph(server_id="g", nodes=["a", "b", "c"], edges=edges)
    firsts = [sample_chains(graph, SampleChains(count=1, max_length=2, seed=seed))[0].tools for seed in range(100)]
    assert firsts.count(["a", "b"]) > 80


def test_without_edges_there_are_single_tools_only() -> None:
    graph = ToolGraph(server_id="lone", nodes=["only"], edges=[])
    with pytest.raises(Invalid, match="no edges"):
        sample_chains(graph, SampleChains())
    assert [chain.tools for chain in sample_chains(graph, SampleChains(min_length=1))] == [["only"]]


def test_a_walk_longer_than_any_path_is_refused() -> None:
    graph = ToolGraph(server_id="g", nodes=["a", "b"], edges=[Edge(source="a", target="b", weight=1, evidence={})])
    with pytest.raises(Invalid, match="the longest had 2"):
        sample_chains(graph, SampleChains(min_length=3))
