"""What the routes under ``/keys`` do."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from astra_proto.access import CreateKey, KeyView, NewKey
from astra_proto.errors import NotFound
from astra_proto.pages import Page
from astra_service import cursors

from astra_env_server.access.guard import KeyGuard
from astra_env_server.access.repository import KeyRepository, KeyRow
from astra_env_server.access.secret import hash_of, new_key

log = structlog.get_logger()


class Keys:
    """Hands out keys and takes them back."""

    def __init__(self, repository: KeyRepository, guard: KeyGuard, now: Callable[[], datetime]) -> None:
        self._repository, self._guard, self._now = repository, guard, now

    async def create(self, request: CreateKey) -> NewKey:
        """A new key: the only time that its text is seen."""
        key_id, key = new_key()
        now = self._now()
        row = KeyRow(
            id=key_id,
            hash=hash_of(key),
            tenant=request.tenant,
            role=request.role.value,
            name=request.name,
            max_envs=request.max_envs,
            steps_per_minute=request.steps_per_minute,
            created_at=now,
            expires_at=None if request.ttl_s is None else now + timedelta(seconds=request.ttl_s),
            revoked_at=None,
        )
        await self._repository.add(row)
        log.info("key.created", key_id=key_id, tenant=row.tenant, role=row.role)
        return NewKey(**vars(row), key=key)

    async def view(self, key_id: str) -> KeyView:
        """One key. Raises NotFound."""
        return KeyView(**vars(await self._get(key_id)))

    async def page(self, tenant: str | None, cursor: str | None, limit: int) -> Page[KeyView]:
        """A page of keys by id."""
        rows = await self._repository.page(tenant, cursors.after(cursor), limit + 1)
        return cursors.page([KeyView(**vars(row)) for row in rows], limit, lambda key: key.id)

    async def revoke(self, key_id: str) -> None:
        """Make a key worth nothing: here at once, on other replicas when they next look. Raises NotFound."""
        row = await self._get(key_id)
        if row.revoked_at is None:
            await self._repository.revoke(key_id, self._now())
            log.info("key.revoked", key_id=key_id, tenant=row.tenant)
        self._guard.forget()

    async def _get(self, key_id: str) -> KeyRow:
        row = await self._repository.get(key_id)
        if row is None:
            raise NotFound(f"no key {key_id!r}: GET /keys lists those there are")
        return row
