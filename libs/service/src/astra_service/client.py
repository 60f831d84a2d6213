"""A typed client for the services' HTTP: errors come back as the classes that were raised there."""

import asyncio
import random
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from astra_proto.errors import AstraError, CapacityReached, Unavailable, from_body
from pydantic import BaseModel, ValidationError

from astra_service import tracing

Model = TypeVar("Model", bound=BaseModel)


class ApiClient:
    """Calls one service. Replies are untrusted: each is validated against the model that is asked for.

    A refused connection, 429 and 503 are tried again with growing pauses, at most ``retries`` times; nothing else is,
    for only the caller knows whether a call may be repeated (give it a key or a ``step_id``, and it may:
    ``repeatable=True`` then also retries time-outs and broken connections).
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: int = 4,
        connections: int = 64,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            timeout=httpx2.Timeout(timeout_s, connect=5.0, pool=None),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
            trust_env=False,
        )
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def get(self, path: str, model: type[Model], **params: Any) -> Model:
        """GET and read the reply as ``model``. Parameters that are None are left out."""
        wanted = {k: v for k, v in params.items() if v is not None}
        return self._read(await self._send("GET", path, params=wanted, repeatable=True), model)

    async def post(self, path: str, body: BaseModel | None, model: type[Model], *, repeatable: bool = False) -> Model:
        """POST ``body`` and read the reply as ``model``."""
        content = body.model_dump_json().encode() if body is not None else b"{}"
        return self._read(await self._send("POST", path, content=content, repeatable=repeatable), model)

    async def delete(self, path: str) -> None:
        """DELETE; that it is gone already is no error."""
        try:
            await self._send("DELETE", path, repeatable=True)
        except AstraError as error:
            if error.status not in (404, 410):
                raise

    async def _send(self, method: str, path: str, *, repeatable: bool, **options: Any) -> httpx2.Response:
        headers = {"Content-Type": "application/json"} if "content" in options else {}
        with tracing.span(f"call {method}", url_path=path):
            tracing.inject(headers)
            return await self._try(method, path, headers, repeatable, options)

    async def _try(
        self, method: str, path: str, headers: dict[str, str], repeatable: bool, options: dict[str, Any]
    ) -> httpx2.Response:
        for attempt in range(self._retries + 1):
            pause = min(2.0, 0.1 * 2**attempt) * (0.5 + random.random())
            try:
                response = await self._http.request(method, path, headers=headers, **options)
            except httpx2.TransportError as error:
                safe = repeatable or isinstance(error, httpx2.ConnectError)
                if attempt == self._retries or not safe:
                    raise Unavailable(
                        f"{self._http.base_url} does not answer: {type(error).__name__} {error}"
                    ) from error
            else:
                if response.status_code < 400:
                    return response
                failure = from_body(response.status_code, _json(response))
                if attempt == self._retries or not isinstance(failure, (CapacityReached, Unavailable)):
                    raise failure
                pause = max(pause, float(response.headers.get("Retry-After", 0) or 0))
            await asyncio.sleep(pause)
        raise AssertionError("the loop returns or raises")

    def _read(self, response: httpx2.Response, model: type[Model]) -> Model:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise AstraError(f"{response.url} answered what is no {model.__name__}: {error}") from error


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
