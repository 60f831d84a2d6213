"""Opening sessions with stored servers."""

from astra_proto.tools import OpenSession, StdioLaunch, ToolSession

from astra_tool_registry.servers import repository
from astra_tool_registry.state import State


async def open_session(state: State, server_id: str, request: OpenSession) -> ToolSession:
    """Start a process of the server for this caller alone.

    Raises: NotFound, CapacityReached, UpstreamFailed.
    """
    async with state.database.session() as session:
        row = await repository.find_server(session, server_id)
        launch = StdioLaunch.model_validate(row.launch)
        tools = (await repository.tools_of(session, [server_id])).get(server_id, [])
    opened = await state.sessions.open(server_id, launch, {tool.name: tool.parameters for tool in tools}, request.ttl_s)
    return ToolSession(id=opened.id, server_id=server_id)
