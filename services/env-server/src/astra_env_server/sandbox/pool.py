"""The runners of one server: warm ones that wait for code, one for each arena in use, no more than fit."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import structlog

from astra_env_server.sandbox.base import (
    Bundle,
    Limits,
    SandboxError,
    SandboxFull,
    SandboxLost,
    SharedState,
    Stats,
)
from astra_env_server.sandbox.runner import Runner
from astra_env_server.sandbox.session import LocalSession, longest_reply

log = structlog.get_logger(__name__)

_REFILL_AFTER_S = 0.1
"""How long the start of another runner leaves the processor to the arena that has just taken one."""


class Launch(Protocol):
    """Starts runners of one tier."""

    @property
    def tier(self) -> str:
        """Its name."""

    @property
    def limits(self) -> Limits:
        """What its runners and their sessions may use."""

    @property
    def reaped(self) -> int:
        """What dead servers left behind and it has ended."""

    async def start(self) -> Runner:
        """A runner that is locked and waits for code. Raises SandboxLost with what it complained of."""

    async def close(self) -> None:
        """Leave nothing behind; every runner has ended."""


@dataclass(frozen=True)
class PoolSize:
    """How many of each there may be."""

    max_runners: int = 16
    warm: int = 2
    """Runners kept ready for the next new arena."""
    sessions_per_runner: int = 1024
    """Open at the same time, in one arena."""
    recycle_after: int = 10_000
    """Sessions that a runner forks before another takes its place."""


class LocalSandbox:
    """Runners on this machine, of one tier."""

    def __init__(self, launch: Launch, size: PoolSize) -> None:
        self.tier: str = launch.tier
        self._launch = launch
        self._size = size
        self._places = 0  # taken by runners, those that start or end included
        self._ready: list[Runner] = []
        self._claims: OrderedDict[str, asyncio.Task[Runner]] = OrderedDict()  # least recently used first
        self._retired: set[Runner] = set()
        self._refill: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._filling = asyncio.Lock()
        self._closed = False

    async def open(
        self, bundle: Bundle, seed: int, state: SharedState | None = None, *, alone: bool = False
    ) -> LocalSession:
        """A new session of the bundle; see ``base.Sandbox``."""
        runner = await (self._own_runner(bundle) if alone else self._shared_runner(bundle))
        try:
            number, wire, grip = await runner.fork(seed, longest_reply(self._launch.limits, state))
        except SandboxLost:
            self._retire(bundle.key, runner)
            raise
        finally:
            if alone:
                self._session_ended(runner)  # ends it, unless the session has begun
        if not alone and runner.opened >= self._size.recycle_after:
            self._retire(bundle.key, runner)
        session = LocalSession(runner, number, wire, grip, self._launch.limits.output_bytes, self._session_ended)
        if state is not None:
            session.share(state)
        return session

    async def warm(self, bundle: Bundle) -> None:
        """Have a runner import the bundle."""
        await self._runner(bundle)

    async def stats(self) -> Stats:
        """How full it is."""
        runners = [*self._ready, *self._retired, *(t.result() for t in self._claims.values() if _succeeded(t))]
        return Stats(
            tier=self.tier,
            runners=self._places,
            max_runners=self._size.max_runners,
            warm=len(self._ready),
            sessions=sum(len(runner.sessions) for runner in runners),
            reaped=self._launch.reaped,
        )

    async def fill(self) -> None:
        """Start runners until as many wait as should; raises SandboxLost when they cannot be started."""
        async with self._filling:  # two at once would start one too many
            while not self._closed and len(self._ready) < self._size.warm and self._places < self._size.max_runners:
                self._ready.append(await self._start())

    async def drop_idle(self) -> None:
        """End the runner that was used least recently, of those without sessions; raises SandboxFull when all have."""
        for key, claim in self._claims.items():
            if _succeeded(claim) and not claim.result().sessions:
                del self._claims[key]
                await self._end(claim.result())
                return
        raise SandboxFull(f"all {self._size.max_runners} runners are in use")

    async def close(self) -> None:
        """End every session and runner."""
        self._closed = True
        tasks = [t for t in (self._refill, *self._claims.values()) if t is not None]
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        runners = {*self._ready, *self._retired, *(r for r in done if isinstance(r, Runner))}
        self._ready, self._retired = [], set()
        self._claims.clear()
        await asyncio.gather(*(self._end(runner) for runner in runners), *self._ending, return_exceptions=True)
        await self._launch.close()

    # ---- which runner serves a bundle

    async def _shared_runner(self, bundle: Bundle) -> Runner:
        while True:
            runner = await self._runner(bundle)
            if not runner.alive:
                continue  # it went while we waited for our turn
            if len(runner.sessions) >= self._size.sessions_per_runner:
                raise SandboxFull(f"this arena has {self._size.sessions_per_runner} sessions open, the most it may")
            return runner

    async def _own_runner(self, bundle: Bundle) -> Runner:
        """One that takes the next session and no other."""
        if self._closed:
            raise SandboxLost("the sandbox is closed")
        try:
            runner = await self._imported(bundle)
        finally:
            self._refill_later()
        self._retired.add(runner)
        return runner

    async def _runner(self, bundle: Bundle) -> Runner:
        if self._closed:
            raise SandboxLost("the sandbox is closed")
        claim = self._claims.get(bundle.key)
        if claim is not None and _succeeded(claim):
            runner = claim.result()
            if not runner.alive or runner.breached:
                self._retire(bundle.key, runner)
                claim = None
        if claim is None:
            claim = self._claims[bundle.key] = asyncio.create_task(self._claim(bundle))
        self._claims.move_to_end(bundle.key)
        # Shared by all who want this arena: one who gives up must not end it for the others.
        return await asyncio.shield(claim)

    async def _claim(self, bundle: Bundle) -> Runner:
        try:
            return await self._imported(bundle)
        except BaseException:
            self._claims.pop(bundle.key, None)
            raise
        finally:
            self._refill_later()

    async def _imported(self, bundle: Bundle) -> Runner:
        for last in (False, False, True):
            runner = await self._unclaimed()
            try:
                await runner.claim(bundle)
                return runner
            except BaseException as error:
                self._end_later(runner)
                if last or not isinstance(error, SandboxLost):
                    raise
        raise AssertionError("the loop returns or raises")

    async def _unclaimed(self) -> Runner:
        while True:
            while self._ready:
                runner = self._ready.pop(0)
                if runner.alive:
                    return runner
                self._end_later(runner)
            if self._places < self._size.max_runners:
                return await self._start()
            under_way = [*self._ending, *([self._refill] if self._refill and not self._refill.done() else [])]
            if under_way:  # a place, or a runner, is about to come free
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            else:
                await self.drop_idle()

    # ---- starting and ending

    async def _start(self) -> Runner:
        self._places += 1
        try:
            return await self._launch.start()
        except BaseException:
            self._places -= 1
            raise

    def _refill_later(self) -> None:
        if not self._closed and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._try_fill())

    async def _try_fill(self) -> None:
        try:
            if self._ready:
                await asyncio.sleep(_REFILL_AFTER_S)
            await self.fill()
        except SandboxError as error:
            log.warning("sandbox.refill_failed", error=str(error))

    def _retire(self, key: str, runner: Runner) -> None:
        """Let it take no more sessions, and end it when the last of its sessions ends."""
        claim = self._claims.get(key)
        if claim is not None and _succeeded(claim) and claim.result() is runner:
            del self._claims[key]
            self._retired.add(runner)
        self._session_ended(runner)

    def _session_ended(self, runner: Runner) -> None:
        if runner in self._retired and not runner.sessions:
            self._retired.discard(runner)
            self._end_later(runner)

    def _end_later(self, runner: Runner) -> None:
        task = asyncio.create_task(self._end(runner))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, runner: Runner) -> None:
        try:
            await runner.close()
        finally:
            self._places -= 1


def _succeeded(claim: asyncio.Task[Runner]) -> bool:
    return claim.done() and not claim.cancelled() and claim.exception() is None
