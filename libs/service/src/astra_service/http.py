"""What stands before every route: the token, the size and strictness of bodies, metrics and log context."""

import hmac
import os
import time
from contextlib import nullcontext
from typing import Any, Protocol

import orjson
import structlog
from astra_proto.errors import AstraError, Malformed, TooLarge, Unauthorized
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from astra_service import tracing
from astra_service.hosts import HostCheck
from astra_service.outage import outage

log = structlog.get_logger()

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
MAX_DEPTH = 64


class Guard(Protocol):
    """Who may come in. Asked once for each request and once for each WebSocket."""

    async def __call__(self, scope: Scope) -> None:
        """Raise an AstraError to turn the caller away."""


class TokenGuard:
    """Lets in whoever has the one token; without a token, everyone."""

    def __init__(self, token: str | None) -> None:
        self._token = token.encode() if token else None

    async def __call__(self, scope: Scope) -> None:
        """Raises Unauthorized."""
        if self._token is None or scope["path"] in OPEN_PATHS:
            return
        sent = authorization(scope)
        if not hmac.compare_digest(sent, b"Bearer " + self._token):
            raise Unauthorized(Unauthorized.UNKNOWN if sent else None)


def authorization(scope: Scope) -> bytes:
    """The Authorization header; empty if there is none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            found: bytes = value
            return found
    return b""


class Gate:
    """Pure ASGI middleware, so that it costs microseconds and streams stay streams."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        guard: Guard,
        hosts: frozenset[str] | None,
        max_body_bytes: int,
        registry: CollectorRegistry,
    ) -> None:
        self._app = app
        self._guard = guard
        self._check_host = HostCheck(hosts)
        self._max = max_body_bytes
        self._seen = Counter(
            "astra_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._took = Histogram(
            "astra_http_seconds",
            "Time to answer",
            ["method", "route"],
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it with an error."""
        if scope["type"] != "http":
            await self._websocket(scope, receive, send)
            return
        with tracing.served(scope) as span:
            await self._http(scope, receive, send, span)

    async def _http(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=os.urandom(6).hex())
        if span is not None:
            structlog.contextvars.bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")
        try:
            if scope["path"] not in OPEN_PATHS:
                self._check_host(scope)
            await self._guard(scope)
            await self._app(scope, await self._checked_body(scope, receive), watch)
        except AstraError as error:
            await error_response(error)(scope, receive, watch)
        except Exception as error:
            down = outage(error)
            if down is None or status:
                raise
            log.warning("database.unavailable", path=scope["path"], error=repr(error)[:500])
            await error_response(down)(scope, receive, watch)
        finally:
            if span is not None:
                span.set_attribute("http.response.status_code", status or 500)
            self._count(scope["method"], getattr(scope.get("route"), "path", "unmatched"), status or 500, began)

    def _count(self, method: str, route: str, status: int, began: float) -> None:
        # Looked up once: to find a metric by its labels costs more than to count.
        known = self._known.get((method, route, status))
        if known is None:
            known = self._seen.labels(method, route, str(status)), self._took.labels(method, route)
            self._known[method, route, status] = known
        known[0].inc()
        known[1].observe(time.perf_counter() - began)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            try:
                self._check_host(scope)
                await self._guard(scope)
            except AstraError as error:
                await receive()
                if "websocket.http.response" in scope.get("extensions", {}):
                    await error_response(error)(scope, receive, send)
                else:
                    await send(_goodbye(error))
                return

            structlog.contextvars.bind_contextvars(request_id=os.urandom(6).hex())
        turned_away = False

        async def watched() -> Message:
            """A socket may outlive the key that opened it: each message is let in by itself."""
            nonlocal turned_away
            message = await receive()
            if message["type"] == "websocket.receive":
                try:
                    await self._guard(scope)
                except AstraError as error:
                    turned_away = True
                    await send(_goodbye(error))
                    return {"type": "websocket.disconnect", "code": 4000 + error.status}
            return message

        async def told(message: Message) -> None:
            if not turned_away:  # it has been closed already
                await send(message)

        with tracing.served(scope) if scope["type"] == "websocket" else nullcontext():
            await self._app(scope, watched, told)

    async def _checked_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body whole, bounded, and refuse JSON that would trouble us later."""
        if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return receive
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return receive
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._max:
                raise TooLarge(f"the body is larger than {self._max} bytes: send less, or raise MAX_BODY_BYTES")
            if not message.get("more_body"):
                break
        body = b"".join(chunks)
        if body:
            check_json(body)
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return replay


def _goodbye(error: AstraError) -> Message:
    reason = error.detail.encode()[:120].decode(errors="ignore")  # a close frame holds no more
    return {"type": "websocket.close", "code": 4000 + error.status, "reason": reason}


def check_json(body: bytes) -> Any:
    """The value in it. Refuses, with Malformed, what Python's parser would let through and a database or another
    client would not.

    Invalid UTF-8, NaN and Infinity, lone surrogates, NUL characters, nesting deeper than 64.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not valid JSON in UTF-8: {error}") from None
    if b"\\u0000" in body and _has_nul(value):
        raise Malformed("the body holds a NUL character (\\u0000): leave it out")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Malformed(f"the body is nested deeper than {MAX_DEPTH} levels")
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return deepest


async def send_json(send: Send, body: bytes) -> None:
    """Answer 200 with a body that is JSON already."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_response(error: AstraError) -> JSONResponse:
    """The one error shape, with the headers that belong to some."""
    headers = None
    if error.status in (429, 503):
        headers = {"Retry-After": str(error.extra.get("retry_after_s", 1))}
    elif error.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(error.body(), status_code=error.status, headers=headers)
