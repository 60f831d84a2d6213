"""The shortest way from a socket to a step: straight from the gate, past the router and its dependencies.

A step costs the server a few hundred microseconds, tool and log included; the framework would be a third of that. The
same routes are in ``routes``, where the documentation comes from, and which answer whatever is not plain JSON.
"""

import re
from collections.abc import Callable

from astra_proto.envs import StepEnv
from astra_service.app import invalid
from astra_service.http import send_json
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from astra_env_server.envs.batch import read_batch, step_all
from astra_env_server.envs.service import Envs

_STEP_PATH = re.compile(r"/envs/(env_[0-9a-f]{32})/step")
_STEP = TypeAdapter(StepEnv)


class _Route:
    """What the gate's metrics call it."""

    def __init__(self, path: str) -> None:
        self.path = path


_STEP_ROUTE = _Route("/envs/{env_id}/step")
_BATCH_ROUTE = _Route("/batch/step")


class HotPaths:
    """ASGI middleware that answers steps, alone and in batches, and lets all else through."""

    def __init__(self, app: ASGIApp, envs: Callable[[], Envs]) -> None:
        self._app = app
        self._envs = envs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a step, or pass the request on. Raises AstraError for the gate to answer."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_json(scope):
            return await self._app(scope, receive, send)
        path: str = scope["path"]
        if found := _STEP_PATH.fullmatch(path):
            scope["route"] = _STEP_ROUTE
            request = _parse(await _body(receive))
            await send_json(send, await self._envs().step(found[1], request))
        elif path == _BATCH_ROUTE.path:
            scope["route"] = _BATCH_ROUTE
            steps = read_batch(await _body(receive))
            await send_json(send, await step_all(self._envs(), steps))
        else:
            await self._app(scope, receive, send)


def _is_json(scope: Scope) -> bool:
    return any(name == b"content-type" and value == b"application/json" for name, value in scope["headers"])


async def _body(receive: Receive) -> bytes:
    """The body: the gate has read it, so it comes whole."""
    body = (await receive()).get("body", b"")
    assert isinstance(body, bytes)
    return body


def _parse(body: bytes) -> StepEnv:
    try:
        return _STEP.validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors(), within=("body",)) from None
