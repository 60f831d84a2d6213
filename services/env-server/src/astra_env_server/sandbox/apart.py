"""A runner for each env instead of one for each arena: the dearer policy, for who wants it."""

from dataclasses import replace

from astra_env_server.sandbox.base import Bundle, Sandbox, Session, SharedState, Stats


class OneEach:
    """The same sandbox, each of whose sessions has a runner for itself and takes it along when it ends."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.tier = sandbox.tier
        self._sandbox = sandbox

    async def open(self, bundle: Bundle, seed: int, state: SharedState | None = None, *, alone: bool = True) -> Session:
        """See ``base.Sandbox``."""
        return await self._sandbox.open(bundle, seed, state, alone=alone)

    async def warm(self, bundle: Bundle) -> None:
        """Nothing: a runner that has imported is the next session's alone, and whose that is nobody knows yet."""

    async def stats(self) -> Stats:
        """See ``base.Sandbox``."""
        return replace(await self._sandbox.stats(), scope="env")

    async def close(self) -> None:
        """See ``base.Sandbox``."""
        await self._sandbox.close()
