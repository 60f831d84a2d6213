"""HTTP for tool sessions."""

from typing import Annotated

from astra_proto.ids import ServerId
from astra_proto.tools import CallTool, CallToolReply, OpenSession, ToolSession
from fastapi import APIRouter, Path

from astra_tool_registry.sessions import service
from astra_tool_registry.state import Resources

router = APIRouter(tags=["sessions"])
SessionId = Annotated[str, Path(pattern=r"^ts_[0-9a-f]{32}$")]


@router.post("/servers/{server_id}/sessions", status_code=201, summary="Open a tool session")
async def open_session(server_id: ServerId, request: OpenSession, state: Resources) -> ToolSession:
    """Starts a server process with a fresh folder for this session alone; it ends when no call comes for `ttl_s`."""
    return await service.open_session(state, server_id, request)


@router.post("/sessions/{session_id}/calls", summary="Call a tool")
async def call_tool(session_id: SessionId, request: CallTool, state: Resources) -> CallToolReply:
    """Calls a tool and waits for its answer. Failures are results with `ok` false and whose fault it is.

    `policy`: no such tool, or arguments that the server refuses by protocol. `tool`: the tool failed. `timeout`: no
    answer in time. `infra`: the server is gone. A session that has expired or was closed is a 410.
    """
    return await state.sessions.call(session_id, request)


@router.delete("/sessions/{session_id}", status_code=204, summary="Close a tool session")
async def close_session(session_id: SessionId, state: Resources) -> None:
    """Stops the server process and removes its folder; one that is over already is no error."""
    await state.sessions.close(session_id)
