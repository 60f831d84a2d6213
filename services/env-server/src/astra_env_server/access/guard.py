"""Turns a request into a caller, or away. One look-up covers REST, WebSocket and MCP: it stands before them all."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog
from astra_proto.access import Role
from astra_proto.errors import AstraError, Forbidden, Unauthorized, Unavailable
from astra_service.http import OPEN_PATHS, authorization
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from astra_env_server.access.caller import ROOT, Caller, enter
from astra_env_server.access.repository import KeyRepository
from astra_env_server.access.roles import WEBSOCKET, is_gallery, least_role
from astra_env_server.access.secret import PREFIX, hash_of, id_of

log = structlog.get_logger()

_REMEMBERED = 10_000
_STRIPES = 16


class KeyGuard:
    """Knows the root token and, once connected, every key.

    What a key is worth is remembered for ``fresh_s`` seconds under the hash of the header that it came in, so a step
    costs a hash and a look into a dict; a key that another replica revokes is refused here after that time at most.
    """

    def __init__(self, root: str | None, fresh_s: float, clock: Callable[[], float] = time.time) -> None:
        self._root = root.encode() if root else None
        self._fresh_s, self._clock = fresh_s, clock
        self._repository: KeyRepository | None = None
        self._refused: Callable[[str], None] = lambda why: None
        self._known: OrderedDict[bytes, tuple[float, Caller | None]] = OrderedDict()
        self._asking = [asyncio.Lock() for _ in range(_STRIPES)]

    def connect(self, repository: KeyRepository, refused: Callable[[str], None]) -> None:
        """From now on there are keys; ``refused`` is told the reason of each refusal."""
        self._repository, self._refused = repository, refused

    def forget(self) -> None:
        """Look every key up anew."""
        self._known.clear()

    async def __call__(self, scope: Scope) -> None:
        """Let the caller in as what it is. Raises Unauthorized, Forbidden, NotFound, MethodNotAllowed, Unavailable."""
        path = scope["path"]
        if path in OPEN_PATHS or is_gallery(path):
            return
        try:
            caller = await self._caller(authorization(scope))
            if caller is not ROOT and caller.role is not Role.ADMIN:
                method = WEBSOCKET if scope["type"] == "websocket" else scope["method"]
                needed = least_role(method, path)
                if caller.role.rank < needed.rank:
                    raise Forbidden(f"this takes a key of role {needed.value}, and this one's is {caller.role.value}")
        except AstraError as error:
            self._refused(type(error).__name__)
            raise
        enter(caller)

    async def _caller(self, header: bytes) -> Caller:
        if self._root is not None and hmac.compare_digest(header, b"Bearer " + self._root):
            return ROOT
        digest = hashlib.sha256(header).digest()
        known = self._known.get(digest)
        if known is None or known[0] < time.monotonic():
            known = await self._look_up(header, digest)
        caller = known[1]
        if caller is None:
            raise Unauthorized(Unauthorized.UNKNOWN if header else None)
        if caller.expires_at is not None and caller.expires_at <= self._clock():
            raise Unauthorized("this key has expired: ask for another")
        return caller

    async def _look_up(self, header: bytes, digest: bytes) -> tuple[float, Caller | None]:
        async with self._asking[digest[0] % _STRIPES]:  # many requests of one key ask the database once
            known = self._known.get(digest)
            if known is None or known[0] < time.monotonic():
                known = (time.monotonic() + self._fresh_s, await self._read(header))
                self._known[digest] = known
                self._known.move_to_end(digest)
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return known

    async def _read(self, header: bytes) -> Caller | None:
        secret = _secret(header)
        if self._root is None and not secret.startswith(PREFIX):
            return ROOT  # no token is set, and what was given is no key
        if self._root is not None and hmac.compare_digest(secret.encode("utf-8", "surrogateescape"), self._root):
            return ROOT
        key_id = id_of(secret)
        if key_id is None or self._repository is None:
            return None
        try:
            row = await self._repository.get(key_id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("access.database_failed", error=repr(error))
            raise Unavailable("the database that knows the keys does not answer") from error
        if row is None or not hmac.compare_digest(row.hash, hash_of(secret)) or row.revoked_at is not None:
            return None
        return Caller(
            tenant=row.tenant,
            role=Role(row.role),
            key_id=row.id,
            max_envs=row.max_envs,
            steps_per_minute=row.steps_per_minute,
            expires_at=None if row.expires_at is None else row.expires_at.timestamp(),
        )


def _secret(header: bytes) -> str:
    """What follows ``Bearer``, or the password of ``Basic``: clients that take no headers send `http://x:KEY@host`."""
    scheme, _, rest = header.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            rest = base64.b64decode(rest, validate=True).partition(b":")[2]
        except binascii.Error:
            return ""
    elif scheme.lower() != b"bearer":
        return ""
    return rest.strip().decode("utf-8", "surrogateescape")
