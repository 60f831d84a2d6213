"""Chooses the tier: what was asked for, or the strongest that works here, shown by running a tool in it."""

import asyncio
import resource
from typing import Literal

from astra_env_server.sandbox.base import Bundle, Limits, NoIsolation, Sandbox, SandboxError, ToolCode
from astra_env_server.sandbox.launch import TIERS, Tier, plan
from astra_env_server.sandbox.pool import LocalSandbox, PoolSize

_PROBE = Bundle((ToolCode("probe", "def probe():\n    return 'here'\n"),))


async def open_sandbox(
    isolation: Literal["auto"] | Tier = "auto",
    limits: Limits | None = None,
    size: PoolSize | None = None,
    python: str | None = None,
) -> Sandbox:
    """A sandbox of the tier asked for; with ``auto``, of the strongest that works. Raises NoIsolation, never less.

    ``python`` names the interpreter of runners, when the server's own will not do.
    """
    limits, size = limits or Limits(), size or PoolSize()
    _raise_descriptor_limit()
    reasons = []
    for tier in TIERS if isolation == "auto" else (isolation,):
        try:
            return await _open_tier(tier, limits, size, python)
        except SandboxError as error:
            reasons.append(f"{tier}: {error}")
    raise NoIsolation("no isolation works on this machine. " + " | ".join(reasons))


async def probe_tiers(limits: Limits | None = None, python: str | None = None) -> dict[str, str]:
    """Each tier by name → ``ok``, or why it does not work here."""
    found: dict[str, str] = {}
    for tier in TIERS:
        try:
            sandbox = await _open_tier(tier, limits or Limits(), PoolSize(max_runners=1, warm=0), python)
        except SandboxError as error:
            found[tier] = str(error)
        else:
            await sandbox.close()
            found[tier] = "ok"
    return found


def _raise_descriptor_limit() -> None:
    """Each session takes two descriptors; many systems start a server with 1024 though they allow far more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _open_tier(tier: Tier, limits: Limits, size: PoolSize, python: str | None) -> LocalSandbox:
    sandbox = LocalSandbox(await plan(tier, limits, python), size)
    try:
        async with asyncio.timeout(60):
            session = await sandbox.open(_PROBE, 0)
            outcome = await session.call("probe", {}, 10.0)
            await session.close()
            if not outcome.ok:
                raise SandboxError(outcome.output)
            await sandbox.drop_idle()
            await sandbox.fill()
    except TimeoutError:
        await sandbox.close()
        raise SandboxError("nothing answers within a minute") from None
    except BaseException:
        await sandbox.close()
        raise
    return sandbox
