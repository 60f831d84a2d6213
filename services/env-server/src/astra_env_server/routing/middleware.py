"""Stands before the routes of an env: a request for one that another replica has in memory is handed on to it."""

from collections.abc import Callable

import orjson
import structlog
from astra_proto.errors import UpstreamFailed
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from astra_env_server.routing.forward import FORWARDED, BrokenOff, NotReached, relay
from astra_env_server.routing.replica import Replica

log = structlog.get_logger()

_STREAMS = frozenset(("mcp", "ws"))
"""What is spoken there is no request and a reply: it is answered where it arrives, and the env comes along."""


class Router:
    """ASGI middleware. ``replica()`` gives this server's part in it, or None where servers do not know each other."""

    def __init__(self, app: ASGIApp, replica: Callable[[], Replica | None]) -> None:
        self._app = app
        self._replica = replica

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or elsewhere. Raises UpstreamFailed when a reply was lost and nobody can ask for it again."""
        env_id = _env_id(scope)
        replica = self._replica() if env_id else None
        if env_id is None or replica is None or replica.holds(env_id) or _was_forwarded(scope):
            return await self._app(scope, receive, send)
        owner = await replica.owner(env_id)
        if owner is None:
            return await self._app(scope, receive, send)
        body = await _read(receive)
        try:
            reply = await replica.forwarder.send(owner, scope, body)
        except (NotReached, BrokenOff) as error:
            log.warning("routing.owner_lost", env_id=env_id, owner=owner, error=str(error))
            replica.doubt(owner)
            if isinstance(error, BrokenOff) and not _may_be_repeated(scope, body):
                replica.forwarded.labels("lost").inc()
                raise UpstreamFailed(
                    "the replica that has the env went away before it answered, and nobody knows whether it had done "
                    "what was asked: look at the env; a step with a step_id can be sent again"
                ) from None
            replica.forwarded.labels("taken_over").inc()
            return await self._app(scope, _replay(body, receive), send)
        replica.forwarded.labels("answered").inc()
        await relay(reply, send)


def _env_id(scope: Scope) -> str | None:
    if scope["type"] != "http" or not scope["path"].startswith("/envs/"):
        return None
    parts = scope["path"].split("/")
    return parts[2] if len(parts) == 3 or (len(parts) == 4 and parts[3] not in _STREAMS) else None


def _was_forwarded(scope: Scope) -> bool:
    return any(name == FORWARDED for name, _ in scope["headers"])


def _may_be_repeated(scope: Scope, body: bytes) -> bool:
    """Whether to do it twice is to do it once."""
    if scope["method"] != "POST" or not scope["path"].endswith(("/step", "/fork")):
        return True
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return bool(body)  # it will be refused; a fork needs none
    return isinstance(asked, dict) and isinstance(asked.get("step_id"), str)


async def _read(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message
