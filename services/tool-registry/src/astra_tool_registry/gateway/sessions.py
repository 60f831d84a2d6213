"""Live sessions: each is one server process, owned by one task that does everything with it."""

import asyncio
import secrets
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog
from astra_proto.envs import ErrorClass
from astra_proto.errors import AstraError, CapacityReached, Gone, NotFound
from astra_proto.tools import CallTool, CallToolReply, StdioLaunch
from prometheus_client import CollectorRegistry, Counter, Gauge

from astra_tool_registry.gateway.connection import Connection, connected, failed
from astra_tool_registry.gateway.results import fit
from astra_tool_registry.settings import Settings

log = structlog.get_logger()

_REMEMBERED = 4_096


class End(StrEnum):
    """Why a session is over."""

    CLOSED = "closed"
    EXPIRED = "expired"
    DIED = "died"


@dataclass
class _Item:
    call: CallTool
    reply: "asyncio.Future[CallToolReply]"


@dataclass
class Session:
    """One live connection. Calls run one after the other, in the order in which they came."""

    id: str
    server_id: str
    tools: dict[str, dict[str, Any]]
    """Name to parameter schema."""
    ttl_s: float
    pending: "asyncio.Queue[_Item]"
    ready: "asyncio.Future[None]"
    over: bool = False
    """No more calls are taken; the server may still be on its way out."""
    end: End = End.CLOSED
    reason: str = ""
    task: "asyncio.Task[None] | None" = None
    current: list[_Item] = field(default_factory=list)

    async def serve(self, connection: Connection) -> None:
        """Answer calls until none has come for the time to live, or the server is gone."""
        if not self.ready.done():
            self.ready.set_result(None)
        while True:
            try:
                async with asyncio.timeout(self.ttl_s):
                    item = await self.pending.get()
            except TimeoutError:
                self.finish(End.EXPIRED, f"no call came for {self.ttl_s:g} s")
                return
            self.current = [item]
            reply = await connection.call(item.call.name, item.call.arguments, item.call.timeout_s)
            if reply.error_class is ErrorClass.TOOL and not fit(item.call.arguments, self.tools[item.call.name]):
                reply = reply.model_copy(update={"error_class": ErrorClass.POLICY})
            self.current = []
            if not item.reply.done():
                item.reply.set_result(reply)
            if reply.error_class is not None and (dead := connection.dead):
                self.finish(End.DIED, dead)
                return

    def finish(self, end: End, reason: str) -> None:
        """Take no more calls, and know why. What ended it first stands."""
        if not self.over:
            self.over, self.end, self.reason = True, end, reason

    def let_go(self) -> None:
        """Answer everyone who still waits."""
        left = [*self.current]
        while not self.pending.empty():
            left.append(self.pending.get_nowait())
        for item in left:
            if not item.reply.done():
                item.reply.set_result(failed(ErrorClass.INFRA, self.reason or "the session was closed"))


class SessionPool:
    """All live sessions of this process. Sessions are processes: they are not shared between replicas."""

    def __init__(self, settings: Settings, metrics: CollectorRegistry) -> None:
        self._settings = settings
        self._live: dict[str, Session] = {}
        self._over: OrderedDict[str, tuple[End, str]] = OrderedDict()
        Gauge("astra_tool_sessions", "Live tool sessions", registry=metrics).set_function(lambda: len(self._live))
        self._calls = Counter("astra_tool_calls", "Tool calls", ["server_id", "outcome"], registry=metrics)

    async def open(
        self, server_id: str, launch: StdioLaunch, tools: dict[str, dict[str, Any]], ttl_s: float
    ) -> Session:
        """Start a server of its own for the caller.

        Raises: CapacityReached; UpstreamFailed if the server does not start.
        """
        if len(self._live) >= self._settings.max_sessions:
            raise CapacityReached(f"all {self._settings.max_sessions} tool sessions are taken", retry_after_s=5)
        session = Session(
            id=f"ts_{secrets.token_hex(16)}",
            server_id=server_id,
            tools=tools,
            ttl_s=ttl_s,
            pending=asyncio.Queue(self._settings.max_pending_calls),
            ready=asyncio.get_running_loop().create_future(),
        )
        self._live[session.id] = session
        session.task = asyncio.create_task(self._own(session, launch))
        try:
            await asyncio.shield(session.ready)
        except asyncio.CancelledError:
            session.task.cancel()
            raise
        log.info("session.opened", session_id=session.id, server_id=server_id)
        return session

    async def call(self, session_id: str, call: CallTool) -> CallToolReply:
        """Call a tool in a session.

        Raises: NotFound, Gone, CapacityReached. A dead server is a result, not an error.
        """
        session = self._live.get(session_id)
        if session is None or session.over:
            end, reason = (session.end, session.reason) if session else self._ended(session_id)
            if end is not End.DIED:
                raise Gone(f"tool session {session_id!r} is {end}: {reason}. Open a new one")
            return failed(ErrorClass.INFRA, reason)
        if call.name not in session.tools:
            return failed(ErrorClass.POLICY, f"there is no tool {call.name!r}")
        item = _Item(call=call, reply=asyncio.get_running_loop().create_future())
        try:
            session.pending.put_nowait(item)
        except asyncio.QueueFull:
            raise CapacityReached(f"{session.pending.maxsize} calls wait in this session already") from None
        reply = await item.reply
        self._calls.labels(session.server_id, reply.error_class or "ok").inc()
        return reply

    async def close(self, session_id: str) -> None:
        """End a session and wait until its server is gone. That it has died or expired already is no error.

        Raises: NotFound for an id that never was, or was so long ago.
        """
        session = self._live.get(session_id)
        if session is None:
            self._ended(session_id)
            return
        await self._cancel(session)

    async def close_server(self, server_id: str) -> None:
        """End all sessions of a server."""
        await asyncio.gather(*(self._cancel(s) for s in list(self._live.values()) if s.server_id == server_id))

    async def close_all(self) -> None:
        """End everything."""
        await asyncio.gather(*(self._cancel(session) for session in list(self._live.values())))

    async def _cancel(self, session: Session) -> None:
        assert session.task
        if not session.over:
            session.finish(End.CLOSED, "it was closed")
            session.task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.shield(session.task)

    async def _own(self, session: Session, launch: StdioLaunch) -> None:
        """Everything that is done with the session's server happens in this task."""
        try:
            await connected(launch, self._settings, session.serve)
        except AstraError as error:
            session.finish(End.DIED, error.detail)
            if not session.ready.done():
                session.ready.set_exception(error)
        except Exception as error:
            log.exception("session.failed", session_id=session.id)
            session.finish(End.DIED, f"{type(error).__name__}: {error}")
        finally:
            session.finish(End.CLOSED, "it was closed")
            self._live.pop(session.id, None)
            self._over[session.id] = (session.end, session.reason)
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
            session.let_go()
            if not session.ready.done():
                session.ready.set_exception(Gone(f"the session ended before it began: {session.reason}"))
                session.ready.exception()  # nobody may be left to look at it
            log.info("session.over", session_id=session.id, end=session.end, reason=session.reason[:300])

    def _ended(self, session_id: str) -> tuple[End, str]:
        try:
            return self._over[session_id]
        except KeyError:
            raise NotFound(f"no tool session {session_id[:100]!r}") from None
