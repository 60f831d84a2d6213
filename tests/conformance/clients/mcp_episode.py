"""Plays with the MCP SDK's own client of the generation before ours (mcp 1.x): ``mcp_episode.py URL``."""

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def play(url: str) -> dict[str, Any]:
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        hello = await session.initialize()
        tools = await session.list_tools()
        await session.send_ping()
        prompt = await session.get_prompt("task")
        first = await session.call_tool("find_overdue_loan", {"member_id": "M-2041"})
        second = await session.call_tool("compute_late_fine", {"days_late": 12, "membership": "standard"})
        late = await session.call_tool("find_overdue_loan", {"member_id": "M-2041"})
    return {
        "instructions": hello.instructions,
        "tools": [tool.name for tool in tools.tools],
        "prompt": prompt.messages[0].content.text,
        "texts": [result.content[0].text for result in (first, second, late)],
        "failed": [result.isError for result in (first, second, late)],
        "meta": [result.meta["astra/step"] for result in (first, second)],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1]))))
