"""The application: resources opened in its lifespan, routes of each noun."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from astra_service.app import Check, build_app
from astra_service.bus import open_bus
from astra_service.client import ApiClient
from astra_service.database import Database
from astra_service.links import document_links
from astra_service.queries import refuse_unknown_queries
from astra_service.starting import CannotStart
from astra_service.tasks import end
from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from astra_env_server.access import routes as key_routes
from astra_env_server.access.guard import KeyGuard
from astra_env_server.access.quotas import Quotas
from astra_env_server.access.repository import KeyRepository
from astra_env_server.access.service import Keys
from astra_env_server.arenas import routes as arena_routes
from astra_env_server.arenas.repository import ArenaRepository
from astra_env_server.arenas.service import Arenas
from astra_env_server.code_runs import routes as code_routes
from astra_env_server.code_runs.service import CodeRuns
from astra_env_server.distractors.draw import Distractors
from astra_env_server.envs import routes as env_routes
from astra_env_server.envs.hot import HotPaths
from astra_env_server.envs.log import open_step_log
from astra_env_server.envs.reaper import reap_forever
from astra_env_server.envs.repository import EnvRepository
from astra_env_server.envs.service import Envs
from astra_env_server.gate.evidence import Limits as GateLimits
from astra_env_server.links import LINKS
from astra_env_server.metrics import Metrics
from astra_env_server.models import metadata
from astra_env_server.protocols import gem, gym, mcp_routes, openenv
from astra_env_server.protocols.model_context import ModelContext
from astra_env_server.readiness import NeighbourCheck, SandboxCheck
from astra_env_server.resources import Resources
from astra_env_server.routing.middleware import Router
from astra_env_server.routing.opening import open_routing, own_address
from astra_env_server.sandbox.apart import OneEach
from astra_env_server.sandbox.base import Limits, NoIsolation
from astra_env_server.sandbox.containers import ContainerOptions
from astra_env_server.sandbox.opening import Options, open_sandbox
from astra_env_server.sandbox.pool import PoolSize
from astra_env_server.settings import Settings
from astra_env_server.solve_rates import routes as solve_rate_routes
from astra_env_server.solve_rates.repository import SolveRateRepository
from astra_env_server.solve_rates.service import SolveRateBook
from astra_env_server.ui import routes as ui_routes

_DESCRIPTION = """Arenas are published once, through a soundness gate, and played any number of times.

`POST /arenas` → `POST /envs` → `POST /envs/{id}/reset` → `POST /envs/{id}/step` until `done`."""


def create_app(settings: Settings) -> FastAPI:
    """The env server's application; nothing is opened before its lifespan begins."""

    guard = KeyGuard(settings.token(), settings.key_fresh_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.checks = await _open(app, settings, guard, stack)
            yield

    def checks(app: FastAPI) -> Mapping[str, Check]:
        found: Mapping[str, Check] = app.state.checks
        return found

    app = build_app(
        package="astra_env_server",
        title="ASTRA env server",
        description=_DESCRIPTION,
        settings=settings,
        lifespan=lifespan,
        checks=checks,
        optional=frozenset({"redis", "tool-registry"}),  # routing and distractors; arenas are played without
        errors=(429,),
        guard=guard,
    )
    rest = (arena_routes, solve_rate_routes, env_routes, code_routes, key_routes)
    for routes in rest:
        app.include_router(routes.router, dependencies=[Depends(refuse_unknown_queries)])
    for routes in (openenv, mcp_routes, gym, gem, ui_routes):  # clients of others, who add what they like
        app.include_router(routes.router)
    document_links(app, LINKS)
    # The last of the list is nearest to the routes: the gate comes before both.
    app.user_middleware.append(Middleware(Router, replica=lambda: app.state.replica))
    app.user_middleware.append(Middleware(HotPaths, envs=lambda: app.state.resources.envs))
    return app


def sandbox_options(settings: Settings) -> Options:
    """What the settings say about the sandbox."""
    return Options(
        Limits(output_bytes=settings.max_output_bytes, import_s=2 * settings.step_timeout_s),
        PoolSize(max_runners=settings.max_runners, warm=settings.warm_runners, recycle_after=settings.recycle_after),
        containers=ContainerOptions(
            image=settings.docker_image,
            folder=settings.docker_folder and settings.docker_folder.resolve(),
            memory_bytes=settings.docker_memory_mib * 2**20,
            cpus=settings.docker_cpus,
        ),
    )


async def _open(app: FastAPI, settings: Settings, guard: KeyGuard, stack: AsyncExitStack) -> Mapping[str, Check]:
    """Open everything, to be closed with ``stack``; gives what readiness asks."""
    settings.prepare_storage()
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    await database.migrate("astra_env_server", metadata)
    bus = open_bus(settings.redis_url)
    stack.push_async_callback(bus.close)
    try:
        sandbox = await open_sandbox(settings.isolation, sandbox_options(settings))
    except NoIsolation as error:
        raise CannotStart(
            f"{error}. ASTRA_ENV_SERVER_ISOLATION chooses the tier; `astra-env-server tiers` says which work here."
        ) from error
    stack.push_async_callback(sandbox.close)

    def now() -> datetime:
        return datetime.now(UTC)

    metrics = Metrics(app.state.metrics)
    limits = GateLimits(call_s=settings.step_timeout_s, output_bytes=settings.max_output_bytes)
    solve_rates = SolveRateBook(SolveRateRepository(database), now)
    arenas = Arenas(ArenaRepository(database), solve_rates, sandbox, limits, metrics, now)
    step_log = open_step_log(database, metrics.log_commit.observe)
    stack.push_async_callback(step_log.close)
    keys = KeyRepository(database)
    guard.connect(keys, metrics.refused)
    env_rows = EnvRepository(database)
    quotas = Quotas(env_rows.count_open, settings.redis_url)
    stack.push_async_callback(quotas.close)
    registry = None
    if settings.tool_registry_url:
        token = settings.service_token.get_secret_value() if settings.service_token else None
        registry = ApiClient(settings.tool_registry_url, token, timeout_s=30, retries=1)
        stack.push_async_callback(registry.close)
    envs = Envs(
        env_rows,
        step_log,
        arenas,
        sandbox if settings.isolation_scope == "arena" else OneEach(sandbox),
        metrics,
        quotas,
        Distractors(registry),
        max_envs=settings.max_envs,
        step_timeout_s=settings.step_timeout_s,
        now=now,
    )
    stack.push_async_callback(envs.keeper.close)
    app.state.replica = None
    if settings.redis_url and settings.advertised_url:
        address = own_address(settings.advertised_url)
        routing = open_routing(settings.redis_url, address, envs.keeper, metrics.forwarded)
        app.state.replica = await stack.enter_async_context(routing)
    code_runs = CodeRuns(sandbox, settings.step_timeout_s)

    async def look_at_sandbox() -> None:
        metrics.sandbox(await sandbox.stats())

    app.state.before_scrape.append(look_at_sandbox)
    model_context = ModelContext(envs, app.version)
    await stack.enter_async_context(model_context.running())
    app.state.resources = Resources(arenas, envs, code_runs, Keys(keys, guard, now), model_context, solve_rates)
    reaper = asyncio.create_task(reap_forever(envs.keeper, settings.reaper_period_s))
    stack.push_async_callback(end, reaper)
    asked: dict[str, Check] = {"database": database.ping, "sandbox": SandboxCheck(sandbox)}
    if settings.redis_url:
        asked["redis"] = bus.ping
    if registry is not None:
        asked["tool-registry"] = NeighbourCheck(registry)
    return asked
