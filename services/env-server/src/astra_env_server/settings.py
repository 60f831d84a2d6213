"""What can be set about the env server; every field is an environment variable with the prefix ASTRA_ENV_SERVER_."""

from pathlib import Path
from typing import Literal

from astra_service.settings import ServiceSettings
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Where it listens and stores, how strictly it isolates, how much it holds."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_ENV_SERVER_", use_attribute_docstrings=True)

    port: int = Field(default=8003, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    database_url: str = "sqlite+aiosqlite:///.astra/env-server.db"
    """SQLAlchemy URL: `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`."""
    isolation: Literal["auto", "landlock", "bubblewrap", "docker", "gvisor"] = "auto"
    """What tools run in, weakest first; `astra env tiers` says which work here. `auto` takes `bubblewrap`, else
    `landlock`, and refuses to start if neither works: it never starts containers unasked."""
    isolation_scope: Literal["arena", "env"] = "arena"
    """What a runner is for: all the envs of an arena, each of them a locked fork, or one env alone. The latter costs an
    env a start of a runner and its memory, and no more than `max_runners` envs can be played at once."""
    max_envs: int = Field(default=1_024, ge=1)
    """Envs open at once; one more is answered 429."""
    key_fresh_s: float = Field(default=5.0, ge=0, le=300, allow_inf_nan=False)
    """Seconds that a key is believed without a look into the database: how long a revoked one may live on elsewhere."""
    max_runners: int = Field(default=64, ge=1)
    """Arenas whose code is held ready at once; the one used longest ago makes room."""
    warm_runners: int = Field(default=2, ge=0, le=64)
    """Runners kept waiting for the code of the next arena."""
    recycle_after: int = Field(default=10_000, ge=1)
    """Envs that a runner serves in its life before another takes its place."""
    docker_image: str = "python:3.11-slim-bookworm"
    """Image of the runners' containers: any with Python 3.11 or later. Nothing is pulled."""
    docker_folder: Path | None = None
    """Folder in which this server and its containers meet; by default one for temporary files. When this server runs
    in a container itself: a folder in one of its volumes."""
    docker_memory_mib: int = Field(default=2_048, ge=64)
    """Memory of one container, in MiB: all the envs of an arena together."""
    docker_cpus: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """Processors that one container may use."""
    step_timeout_s: float = Field(default=5.0, gt=0, le=600, allow_inf_nan=False)
    """Seconds that one tool call may take, whatever the caller asks for; the import of an arena's code, twice that."""
    max_output_bytes: int = Field(default=256 * 1024, ge=1_024, le=2**24)
    """Longest result of one tool call, in bytes of UTF-8."""
    tool_registry_url: str | None = None
    """Where distractors are drawn from. Without it, envs that ask for some are refused."""
    service_token: SecretStr | None = None
    """Bearer token for the tool registry."""
    reaper_period_s: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds between two looks for envs whose time is over."""
    advertised_url: str = Field(default="", pattern=r"^(https?://[^/?#]+/?)?$")
    """URL at which the other replicas reach this one, `{hostname}` in it standing for the name of the machine. With it
    and a `redis_url`, a request for an env that another replica has in memory is handed on to that one. Empty: it is
    answered where it arrives."""
