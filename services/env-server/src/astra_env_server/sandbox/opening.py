"""Chooses the tier: what was asked for, or the best that needs no daemon, shown by running a tool in it."""

import asyncio
import resource
from dataclasses import dataclass, field
from typing import Literal, get_args

from astra_env_server.sandbox.base import Bundle, Limits, NoIsolation, Sandbox, SandboxError, ToolCode
from astra_env_server.sandbox.containers import ContainerOptions, plan_containers
from astra_env_server.sandbox.launch import plan
from astra_env_server.sandbox.pool import Launch, LocalSandbox, PoolSize

Tier = Literal["landlock", "bubblewrap", "docker", "gvisor"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""Weakest first: what keeps a tool from the machine grows from the locks of each process, by namespaces, a container
of its own, to a kernel of its own."""
AUTO: tuple[Tier, ...] = ("bubblewrap", "landlock")
"""What is tried when nothing was asked for, best first: those that need no daemon."""

_PROBE = Bundle((ToolCode("probe", "def probe():\n    return 'here'\n"),))


@dataclass(frozen=True)
class Options:
    """What an operator may say about a sandbox, whichever its tier."""

    limits: Limits = field(default_factory=Limits)
    size: PoolSize = field(default_factory=PoolSize)
    python: str | None = None
    """The interpreter of runners without a container, when the server's own will not do."""
    containers: ContainerOptions = field(default_factory=ContainerOptions)


async def open_sandbox(isolation: Literal["auto"] | Tier = "auto", options: Options | None = None) -> Sandbox:
    """A sandbox of the tier asked for; with ``auto``, the best that needs no daemon. Raises NoIsolation, never less."""
    options = options or Options()
    _raise_descriptor_limit()
    reasons = []
    for tier in AUTO if isolation == "auto" else (isolation,):
        try:
            return await _open_tier(tier, options)
        except SandboxError as error:
            reasons.append(f"{tier}: {error}")
    raise NoIsolation("no isolation works on this machine. " + " | ".join(reasons))


async def probe_tiers(options: Options | None = None) -> dict[str, str]:
    """Each tier by name, weakest first → ``ok``, or why it does not work here."""
    given = options or Options()
    options = Options(given.limits, PoolSize(max_runners=1, warm=0), given.python, given.containers)
    found: dict[str, str] = {}
    for tier in TIERS:
        try:
            sandbox = await _open_tier(tier, options)
        except SandboxError as error:
            found[tier] = str(error)
        else:
            await sandbox.close()
            found[tier] = "ok"
    return found


async def _launch(tier: Tier, options: Options) -> Launch:
    if tier == "docker" or tier == "gvisor":
        return await plan_containers(tier, options.limits, options.containers)
    return await plan(tier, options.limits, options.python)


def _raise_descriptor_limit() -> None:
    """Each session takes two descriptors; many systems start a server with 1024 though they allow far more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _open_tier(tier: Tier, options: Options) -> LocalSandbox:
    sandbox = LocalSandbox(await _launch(tier, options), options.size)
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
