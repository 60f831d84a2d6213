"""Tool servers, their tools, the graph of what follows what, and the chains walked from it (paper §3.1)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from astra_proto.base import Record, Reply, Request
from astra_proto.envs import CallResult
from astra_proto.ids import ServerId, ToolName


class StdioLaunch(Record):
    """How to start an MCP server that speaks on its standard input and output."""

    transport: Literal["stdio"] = "stdio"
    command: Annotated[str, Field(min_length=1, max_length=200)]
    """A command that the registry's settings allow, such as ``uvx`` or ``npx``."""
    args: Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=64)] = []
    """``{workdir}`` in an argument becomes a fresh folder of the session's own."""
    env: dict[str, str] = {}
    setup: Annotated[list[list[str]], Field(max_length=16)] = []
    """Commands run in the fresh folder before the server starts, such as ``git init``; the same allow-list holds."""


class ImportServer(Request):
    """Start a server, list its tools, keep those that are fit to use."""

    id: ServerId
    title: Annotated[str, Field(max_length=200)] = ""
    description: Annotated[str, Field(max_length=5_000)] = ""
    domain: Annotated[str, Field(min_length=1, max_length=100)]
    launch: StdioLaunch


class Tool(Record):
    """A callable of a tool server, in the OpenAI function shape, and how to read its result."""

    server_id: ServerId
    name: ToolName
    description: str
    parameters: dict[str, Any]
    output_schema: dict[str, Any] | None = None


class ToolServer(Reply):
    """A group of tools from one origin."""

    id: ServerId
    title: str
    description: str
    domain: str
    launch: StdioLaunch
    tools: list[Tool]
    dropped: dict[str, str]
    """Tools that were left out, and why."""


class EdgeEvidence(StrEnum):
    """Why one tool may follow another."""

    OUTPUT_FEEDS_INPUT = "output_feeds_input"
    """A field of one tool's output schema is an argument of the next."""
    SHARED_ENTITY = "shared_entity"
    """Both speak of the same thing by name (table, order, customer)."""
    VERB_ORDER = "verb_order"
    """Create comes before read, read before update, update before delete."""
    PROPOSED = "proposed"
    """A language model put them one after the other (paper §3.1.2)."""


class Edge(Record):
    """``target`` may follow ``source``."""

    source: ToolName
    target: ToolName
    weight: Annotated[float, Field(gt=0)]
    evidence: dict[EdgeEvidence, float]
    """What speaks for the edge, and how much of its weight each gives."""


class ToolGraph(Record):
    """The tools of one server and which may follow which."""

    server_id: ServerId
    nodes: list[ToolName]
    edges: list[Edge]


class SampleChains(Request):
    """Walk the graph: weighted by the edges, seeded, without doubles."""

    count: Annotated[int, Field(ge=1, le=1_000)] = 10
    min_length: Annotated[int, Field(ge=1, le=8)] = 2
    max_length: Annotated[int, Field(ge=1, le=8)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    acyclic: bool = True


class ToolChain(Record):
    """Tools in the order in which a task would call them; ``weight`` is the product of its edges' probabilities."""

    server_id: ServerId
    tools: Annotated[list[ToolName], Field(min_length=1)]
    weight: float


class OpenSession(Request):
    """A live connection to a tool server, with state of its own."""

    ttl_s: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 300.0


class ToolSession(Reply):
    """A session that is open."""

    id: str
    server_id: ServerId


class CallTool(Request):
    """Call a tool of a session's server."""

    name: Annotated[str, Field(max_length=256)]
    arguments: dict[str, JsonValue] = {}
    timeout_s: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)] = 30.0


class CallToolReply(CallResult, Reply):
    """What the server answered. A tool's failure is a result with ``ok`` false, not an HTTP error."""
