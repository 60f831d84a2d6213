"""Hands a request on to another replica, and its reply back."""

import httpx2
import structlog
from starlette.types import Scope, Send

log = structlog.get_logger()

FORWARDED = b"x-astra-forwarded"
"""On a request that was handed on once: whoever gets it answers it."""
_READ_S = 660.0
"""A step may make several calls of the longest time that is allowed."""
_CONNECT_S = 1.0
_OF_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"host")
) | {b"content-length", b"accept-encoding", b"content-encoding", b"expect"}


class NotReached(Exception):
    """The request did not get there: nothing was done about it."""


class BrokenOff(Exception):
    """It got there, and no reply came: what was done about it nobody knows."""


class Forwarder:
    """A pool of connections to the other replicas."""

    def __init__(self, address: str) -> None:
        self._address = address.encode()
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=3.0),
            trust_env=False,
        )

    async def send(self, address: str, scope: Scope, body: bytes) -> httpx2.Response:
        """The reply of the replica at ``address`` to this request. Raises NotReached, BrokenOff."""
        target = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        request = self._http.build_request(
            scope["method"],
            address + (target + query).decode("ascii"),
            headers=[*_kept(scope["headers"]), (FORWARDED, self._address)],
            content=body,
        )
        try:
            return await self._http.send(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NotReached(str(error)) from error
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise BrokenOff(repr(error)) from error

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()


async def relay(reply: httpx2.Response, send: Send) -> None:
    """Answer with what the other replica answered."""
    headers = [*_kept(reply.headers.raw), (b"content-length", b"%d" % len(reply.content))]
    await send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})


def _kept(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    lowered = [(name.lower(), value) for name, value in headers]
    return [(name, value) for name, value in lowered if name not in _OF_ONE_CONNECTION]
