"""Keys: made, listed, revoked. For admins alone."""

from typing import Annotated

from astra_proto.access import CreateKey, KeyView, NewKey, Tenant
from astra_proto.ids import KeyId
from astra_proto.pages import Page
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Query

from astra_env_server.resources import Here

router = APIRouter(tags=["keys"])

OfTenant = Annotated[Tenant | None, Query(description="Only keys of this tenant.")]


@router.post("/keys", status_code=201, summary="Make a key")
async def create_key(request: CreateKey, here: Here) -> NewKey:
    """The reply holds the key itself. It is shown this once: only its hash is kept."""
    return await here.keys.create(request)


@router.get("/keys", summary="List keys")
async def list_keys(here: Here, tenant: OfTenant = None, cursor: Cursor = None, limit: Limit = 50) -> Page[KeyView]:
    """Keys by id, revoked and expired ones included, without their secrets."""
    return await here.keys.page(tenant, cursor, limit)


@router.get("/keys/{key_id}", summary="Look at a key")
async def get_key(key_id: KeyId, here: Here) -> KeyView:
    """One key without its secret."""
    return await here.keys.view(key_id)


@router.delete("/keys/{key_id}", status_code=204, summary="Revoke a key")
async def revoke_key(key_id: KeyId, here: Here) -> None:
    """The key is refused from now on, by other replicas within seconds. Its envs stay until their time is over."""
    await here.keys.revoke(key_id)
