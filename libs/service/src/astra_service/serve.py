"""The command line of a service: `serve`, and a help text that lists its settings."""

import gc
import os
import socket
from collections.abc import Callable
from typing import Annotated, TypeVar

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from astra_service import logs, tracing
from astra_service.settings import ServiceSettings
from astra_service.sockets import WebSockets
from astra_service.starting import Starting, misspelt, read_settings

S = TypeVar("S", bound=ServiceSettings)


def service_command(
    name: str, summary: str, settings_class: type[S], create_app: Callable[[S], FastAPI]
) -> typer.Typer:
    """The typer application of a service. Every setting is an environment variable; the help lists them all."""
    prefix = settings_class.model_config.get("env_prefix", "")
    known = "\n\n".join(
        f"{prefix}{field.upper()} — {(info.description or '').strip()}"
        for field, info in settings_class.model_fields.items()
    )
    cli = typer.Typer(
        name=name, help=summary, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )

    @cli.command(help=f"Serve until interrupted.\n\nSettings come from the environment:\n\n{known}")
    def serve(
        host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
        port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    ) -> None:
        given = {k: v for k, v in {"host": host, "port": port}.items() if v is not None}
        run(read_settings(settings_class, given), create_app)

    @cli.callback()
    def main() -> None:
        pass

    return cli


def run(settings: S, create_app: Callable[[S], FastAPI]) -> None:
    """Serve the application with uvicorn until SIGINT or SIGTERM. Exits with a sentence when it cannot start."""
    settings.refuse_if_exposed()
    try:
        settings.prepare_storage()
    except OSError as error:
        raise SystemExit(f"cannot start: the folder of the database cannot be made: {error}") from None
    app = create_app(settings)
    starting = Starting(app, settings.database_url)
    tracing.configure(app.title, settings.otel_endpoint, settings.otel_ratio)
    logs.configure(settings.log_format, settings.log_level, app.title)
    for name, meant in misspelt(type(settings), os.environ).items():
        structlog.get_logger().warning("settings.unknown", name=name, meant=meant)
    listener = _listener(settings)
    structlog.get_logger().info(
        "service.listening", host=settings.host, port=listener.getsockname()[1], pid=os.getpid()
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # nobody asks for the caller's address
        timeout_graceful_shutdown=5,
        ws=WebSockets,
        ws_ping_interval=60,
        ws_ping_timeout=300,
        ws_max_size=2 * settings.max_body_bytes,  # up to the first half an error tells what is wrong
        ws_per_message_deflate=False,  # costs more than a step, and 100 KiB for each connection
    )
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not look at it again in the middle of a request
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except SystemExit:
        if starting.why is None:
            raise
        raise SystemExit(f"cannot start: {starting.why}") from None


def _listener(settings: ServiceSettings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        prefix = settings.model_config.get("env_prefix", "")
        raise SystemExit(
            f"cannot start: no listening on {settings.host} port {settings.port}: {error.strerror or error}. "
            f"Choose another with --port or {prefix}PORT; 0 takes a free one."
        ) from None
