"""A connection to a live MCP server: introduces itself, lists tools, calls them.

The handshake is the official SDK's. Lists and calls go through its dispatcher raw, for its typed results would reject a
whole list for one malformed tool, and would run the server's own output schemas, hostile patterns included, in our
event loop.
"""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

import anyio
import mcp_types
from astra_proto.envs import ErrorClass
from astra_proto.errors import AstraError, UpstreamFailed
from astra_proto.tools import CallToolReply, StdioLaunch
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from pydantic import ValidationError

from astra_tool_registry.gateway.process import Wire, running
from astra_tool_registry.gateway.results import as_text, clean
from astra_tool_registry.gateway.workspace import check_launch, prepare
from astra_tool_registry.settings import Settings

_MAX_PAGES = 100
_SLACK_S = 1.0
_NEEDS_NETWORK = ("network was disabled", "network is disabled", "offline", "ENOTCACHED")
T = TypeVar("T")


class Connection:
    """An initialised server."""

    def __init__(self, wire: Wire, dispatcher: JSONRPCDispatcher[Any], settings: Settings) -> None:
        self._wire = wire
        self._dispatcher = dispatcher
        self._settings = settings

    @property
    def dead(self) -> str | None:
        """Why no answer will come any more, or None while one may."""
        return f"the server is gone: {self._wire.told()}" if self._wire.closed.is_set() else None

    async def list_tools(self) -> list[Any]:
        """Every tool as the server describes it: unchecked.

        Raises: UpstreamFailed if the list is no list or has no end.
        """
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._ask("tools/list", {"cursor": cursor} if cursor else {}, self._settings.start_timeout_s)
            tools = page.get("tools")
            if not isinstance(tools, list):
                raise UpstreamFailed("the server's answer to tools/list holds no list of tools")
            found += tools
            if len(found) > self._settings.max_tools:
                raise UpstreamFailed(f"the server lists more than {self._settings.max_tools} tools")
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                return found
        raise UpstreamFailed(f"the server's list of tools does not end: {_MAX_PAGES} pages were read")

    async def call(self, name: str, arguments: dict[str, Any], timeout_s: float) -> CallToolReply:
        """Call a tool. Whatever goes wrong is the result."""
        try:
            result = await self._ask("tools/call", {"name": name, "arguments": arguments}, timeout_s)
        except TimeoutError:
            return failed(ErrorClass.TIMEOUT, f"no answer within {timeout_s:g} s")
        except MCPError as error:
            if self.dead:
                return failed(ErrorClass.INFRA, self.dead)
            agents_fault = error.code == mcp_types.INVALID_PARAMS
            return failed(ErrorClass.POLICY if agents_fault else ErrorClass.TOOL, clean(error.message))
        text = as_text(result, self._settings.max_output_chars)
        if result.get("isError") is True:
            return failed(ErrorClass.TOOL, text)
        return CallToolReply(ok=True, output=text, error_class=None)

    async def _ask(self, method: str, params: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        try:
            with anyio.fail_after(
                timeout_s + _SLACK_S
            ):  # the dispatcher's own limit starts when the request is written
                return await self._dispatcher.send_raw_request(method, params, {"timeout": timeout_s})
        except MCPError as error:
            if error.code == mcp_types.REQUEST_TIMEOUT:
                raise TimeoutError from error
            raise


def failed(error_class: ErrorClass, output: str) -> CallToolReply:
    """The result of a call that failed."""
    return CallToolReply(ok=False, output=output[:8_000], error_class=error_class)


async def connected(launch: StdioLaunch, settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Start the server, do ``work`` with it, stop it; all in the calling task, as the SDK's task groups want.

    Packages that are in the cache are used without asking their registry; only a server that cannot start so is started
    again with the network.

    Raises: Invalid for what is not allowed; UpstreamFailed with what the server said; whatever ``work`` raises.
    """
    check_launch(launch, settings)
    try:
        return await _attempt(launch, settings, work, offline=True)
    except _Unstarted as error:
        if not any(hint in error.detail for hint in _NEEDS_NETWORK):
            raise UpstreamFailed(error.detail) from error
    try:
        return await _attempt(launch, settings, work, offline=False)
    except _Unstarted as error:
        raise UpstreamFailed(error.detail) from error


class _Unstarted(AstraError):
    """The server did not get as far as introducing itself."""


async def _attempt(
    launch: StdioLaunch, settings: Settings, work: Callable[[Connection], Awaitable[T]], *, offline: bool
) -> T:
    prepared = prepare(launch, settings, offline=offline)
    failure: Exception | None = None
    told = ""
    async with running(prepared, settings) as wire:
        dispatcher: JSONRPCDispatcher[Any] = JSONRPCDispatcher(wire.read, wire.write)
        info = mcp_types.Implementation(name="astra-tool-registry", version=version("astra-tool-registry"))
        async with ClientSession(dispatcher=dispatcher, client_info=info) as session:
            # Errors are carried out of the block by hand: the SDK's task group would wrap them.
            try:
                await _introduce(session, wire, settings.start_timeout_s)
                return await work(Connection(wire, dispatcher, settings))
            except Exception as error:
                failure, told = error, wire.told()
    assert failure is not None
    if isinstance(failure, MCPError | TimeoutError):
        raise UpstreamFailed(
            f"the server failed while its tools were listed ({failure or 'no answer'}): {told}"
        ) from failure
    raise failure


async def _introduce(session: ClientSession, wire: Wire, timeout_s: float) -> None:
    try:
        with anyio.fail_after(timeout_s):
            await session.initialize()
    except TimeoutError as error:
        raise UpstreamFailed(f"the server did not introduce itself within {timeout_s:g} s: {wire.told()}") from error
    except (MCPError, ValidationError, RuntimeError) as error:
        await anyio.sleep(0.05)  # for the last words on standard error
        raise _Unstarted(f"the server could not be started ({clean(str(error))[:500]}): {wire.told()}") from error
