"""Who may call the env-server: keys, each of a tenant, with a role and quotas."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from astra_proto.base import Reply, Request
from astra_proto.ids import KeyId

Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
MaxEnvs = Annotated[int, Field(ge=1, le=1_000_000)]
StepsPerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Role(StrEnum):
    """What a key is for. Each role may do all that those before it may."""

    AGENT = "agent"
    """Plays envs of its own and sees what an agent may see."""
    TRAINER = "trainer"
    """Also sees answers, and every env of its tenant whole."""
    PUBLISHER = "publisher"
    """Also publishes arenas and runs code in the sandbox."""
    ADMIN = "admin"
    """Also sees every tenant and hands out keys."""

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return list(Role).index(self)


class CreateKey(Request):
    """A new key."""

    tenant: Tenant
    role: Role
    name: Annotated[str, Field(max_length=100)] = ""
    """For people: what or whom it is for."""
    max_envs: MaxEnvs | None = None
    """Envs that it may have open at once; none for no limit of its own."""
    steps_per_minute: StepsPerMinute | None = None
    """Steps that it may take in a minute; none for no limit."""
    ttl_s: Annotated[float, Field(ge=1, le=315_360_000, allow_inf_nan=False)] | None = None
    """Seconds until it expires; none for never."""


class KeyView(Reply):
    """A key without its secret."""

    id: KeyId
    """Also the part of the key that may be shown and logged."""
    tenant: str
    role: Role
    name: str
    max_envs: int | None
    steps_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(KeyView):
    """A key just made. ``key`` is shown here and never again: only its hash is kept."""

    key: str
