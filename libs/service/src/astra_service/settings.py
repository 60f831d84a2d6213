"""Settings that every service has; each service adds its own and gives them its env prefix."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from astra_service.hosts import is_loopback

PLACEHOLDER = "change-me"
"""The token of `.env.example`. It is good for loopback and nothing else."""


class ServiceSettings(BaseSettings):
    """Where the service listens, what it stores to, who may call it."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    public_host: str | None = None
    """Address at which callers reach it, if another than `host`: for a container, the one it is published on."""
    api_token: SecretStr | None = None
    """Bearer token that every call must carry. Needed beyond loopback."""
    allowed_hosts: str = ""
    """Names that it may be called by besides those of this machine, by commas. Empty: without a token those of this
    machine alone, with one any."""
    database_url: str = "sqlite+aiosqlite:///.astra/astra.db"
    """SQLAlchemy URL: `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`."""
    redis_url: str | None = None
    """Redis for wake-ups between processes. Without it they poll; nothing is lost either way."""
    log_format: Literal["console", "json"] = "console"
    """How log lines look."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    otel_endpoint: str | None = None
    """OpenTelemetry collector that traces go to over OTLP/HTTP, `http://host:4318`; none for no traces."""
    otel_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces begun here that are kept; one that a caller began is kept if the caller keeps it."""
    max_body_bytes: int = Field(default=4 * 2**20, ge=1_024)
    """Largest request body, in bytes."""

    @field_validator("database_url")
    @classmethod
    def _has_a_driver_of_ours(cls, url: str) -> str:
        if not url.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite://")):
            raise ValueError("write it as postgresql+asyncpg://USER:PASSWORD@HOST/NAME or sqlite+aiosqlite:///FILE")
        return url

    def token(self) -> str | None:
        """The token in clear, or none."""
        return self.api_token.get_secret_value() if self.api_token else None

    def hosts(self) -> frozenset[str] | None:
        """The names that it may be called by besides those of this machine; None for any."""
        names = frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())
        only_here = not self.token() and is_loopback(self.public_host or self.host)
        return names if names or only_here else None

    def refuse_if_exposed(self) -> None:
        """Exit with a sentence if the service would be reachable beyond this machine without a secret of its own."""
        reachable = self.public_host or self.host
        if not is_loopback(reachable) and self.token() in (None, "", PLACEHOLDER):
            prefix = self.model_config.get("env_prefix", "")
            raise SystemExit(
                f"refusing to serve on {reachable!r}: it is reachable from other machines and {prefix}API_TOKEN is "
                f"{'not set' if not self.token() else 'still the placeholder'}. Set it to a secret "
                f"(python -c 'import secrets; print(secrets.token_urlsafe(32))'), or serve on 127.0.0.1."
            )

    def prepare_storage(self) -> None:
        """Make the folder of a SQLite database, so that a first start needs no preparation. Raises OSError."""
        _, file, path = self.database_url.partition(":///")
        if self.database_url.startswith("sqlite") and file and ":memory:" not in path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
