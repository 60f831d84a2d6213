"""Who is calling: set once for each request or socket by the guard, and read wherever it matters."""

from contextvars import ContextVar
from dataclasses import dataclass

from astra_proto.access import Role

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key, or of the root token."""

    tenant: str
    role: Role
    key_id: str | None = None
    """None for the root token and for the server's own tasks."""
    max_envs: int | None = None
    steps_per_minute: int | None = None
    expires_at: float | None = None
    """Seconds since 1970."""

    def may_use(self, tenant: str, key_id: str | None) -> bool:
        """Whether an env of this tenant, made with this key, is there for the caller at all."""
        if self.role is Role.ADMIN:
            return True
        if self.role is Role.AGENT:
            return self.key_id == key_id
        return self.tenant == tenant

    def scope(self) -> tuple[str | None, str | None]:
        """Tenant and key that an env must be of to be there for the caller; None for any. As ``may_use`` says."""
        if self.role is Role.ADMIN:
            return None, None
        return (None, self.key_id) if self.role is Role.AGENT else (self.tenant, None)


ROOT = Caller(DEFAULT_TENANT, Role.ADMIN)
"""Services among themselves, whoever holds the root token, and everyone where there is no token."""

_CALLER: ContextVar[Caller] = ContextVar("astra_caller", default=ROOT)


def current() -> Caller:
    """Who is calling; the server itself where nobody is."""
    return _CALLER.get()


def enter(caller: Caller) -> None:
    """From here on, in this task and in those it starts, ``caller`` is calling."""
    _CALLER.set(caller)
