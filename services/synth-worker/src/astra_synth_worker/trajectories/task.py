"""What a user could ask of a server: written for a chain of its tools, or for the server alone (paper §3.1.3)."""

import random
import re
from typing import Annotated, ClassVar

from astra_proto.tools import ToolServer
from astra_proto.trajectories import Task
from pydantic import BaseModel, ConfigDict, Field, field_validator

from astra_synth_worker.jobs.context import Context, Refused
from astra_synth_worker.llm.ask import ask
from astra_synth_worker.llm.base import Prompt

MOST_TOOLS = 3
"""A task written from the server alone takes one to this many tools."""


class TaskReply(BaseModel):
    """A request and the tools it takes, checked against the server while the model can still mend it."""

    model_config = ConfigDict(extra="ignore")
    known: ClassVar[frozenset[str]] = frozenset()
    wanted: ClassVar[tuple[str, ...]] = ()

    question: Annotated[str, Field(min_length=10, max_length=8_000)]
    target_tools: Annotated[list[str], Field(min_length=1, max_length=16)]

    @field_validator("question")
    @classmethod
    def _is_a_users(cls, question: str) -> str:
        question = question.strip()
        named = [t for t in cls.known if "_" in t and re.search(rf"\b{re.escape(t)}\b", question)]
        if named:
            raise ValueError(f"a user does not know the tools' names, leave these out: {sorted(named)}")
        return question

    @field_validator("target_tools")
    @classmethod
    def _are_the_servers(cls, tools: list[str]) -> list[str]:
        if unknown := sorted(set(tools) - cls.known):
            raise ValueError(f"the server has no such tools: {unknown}")
        if cls.wanted and tuple(tools) != cls.wanted:
            raise ValueError(f"must be exactly {list(cls.wanted)}, in this order")
        return tools


async def write_task(server: ToolServer, chain: list[str], seed: int, context: Context) -> Task:
    """A task that takes just the tools of ``chain`` in their order, or tools of the server's if the chain is empty."""
    known = frozenset(tool.name for tool in server.tools)
    if unknown := sorted(set(chain) - known):
        raise Refused("unknown_tool", f"{server.id} has no tools {unknown}; it has {sorted(known)}")
    if not known:
        raise Refused("no_tools", f"{server.id} has no tools")

    class Reply(TaskReply):
        pass

    Reply.known, Reply.wanted = known, tuple(chain)
    variables = {
        "server": {"id": server.id, "title": server.title, "description": server.description, "domain": server.domain},
        "tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in server.tools],
        "chain": chain,
        "tool_count": len(chain) or random.Random(seed).randint(1, min(MOST_TOOLS, len(known))),
        "seed": seed,
    }
    name = "task_for_chain" if chain else "task_for_server"
    reply = await ask(context.llm, Prompt(name, variables, temperature=1.0, seed=seed), Reply, context.usage)
    return Task(server_id=server.id, question=reply.question, chain=chain)
