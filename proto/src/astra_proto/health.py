"""Whether a service lives and whether it can work."""

from typing import Literal

from astra_proto.base import Reply


class Health(Reply):
    """The process answers."""

    status: Literal["ok"]
    service: str
    version: str


class Readiness(Reply):
    """Each thing the service needs, and whether it answered just now: ``ok`` or what went wrong."""

    ready: bool
    checks: dict[str, str]
