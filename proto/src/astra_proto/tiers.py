"""What keeps tools from the machine, and how much room there is for them."""

from enum import StrEnum

from astra_proto.base import Reply


class Isolation(StrEnum):
    """What keeps tools from the machine, weakest first. Compare with ``at_least``, never as text."""

    LANDLOCK = "landlock"
    """Every session is locked by itself: Landlock, seccomp, resource limits."""
    BUBBLEWRAP = "bubblewrap"
    """The same, in namespaces of their own."""
    DOCKER = "docker"
    """The same, in a container of their own with its own file system and limits."""
    GVISOR = "gvisor"
    """A container on a kernel of its own."""

    def at_least(self, least: "Isolation") -> bool:
        """Whether this keeps tools as well as ``least`` or better."""
        order = list(Isolation)
        return order.index(self) >= order.index(least)


class Capacity(Reply):
    """How much room there is."""

    isolation: str
    isolation_scope: str
    """What a runner is for: ``arena``, with all its envs, each a locked fork of it; or one ``env`` alone."""
    envs: int
    max_envs: int
    runners: int
    max_runners: int


class TierState(Reply):
    """Whether one tier of isolation works on a machine."""

    tier: Isolation
    works: bool
    reason: str | None
    """Why not; null when it works."""


class Tiers(Reply):
    """Every tier of isolation, weakest first, shown by running a tool in it."""

    tiers: list[TierState]
