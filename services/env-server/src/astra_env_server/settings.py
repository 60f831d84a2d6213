"""What can be set about the env server; every field is an environment variable with the prefix ASTRA_ENV_SERVER_."""

from typing import Literal

from astra_service.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Where it listens and stores, how strictly it isolates, how much it holds."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_ENV_SERVER_", use_attribute_docstrings=True)

    port: int = Field(default=8003, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    database_url: str = "sqlite+aiosqlite:///.astra/env-server.db"
    """SQLAlchemy URL: `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`."""
    isolation: Literal["auto", "bubblewrap", "landlock"] = "auto"
    """What tools run in. `auto` takes the strongest tier that works here and refuses to start if none does."""
    max_envs: int = Field(default=1_024, ge=1)
    """Envs open at once; one more is answered 429."""
    key_fresh_s: float = Field(default=5.0, ge=0, le=300, allow_inf_nan=False)
    """Seconds that a key is believed without a look into the database: how long a revoked one may live on elsewhere."""
    max_runners: int = Field(default=64, ge=1)
    """Arenas whose code is held ready at once; the one used longest ago makes room."""
    step_timeout_s: float = Field(default=5.0, gt=0, le=600, allow_inf_nan=False)
    """Seconds that one tool call may take, whatever the caller asks for; the import of an arena's code, twice that."""
    max_output_bytes: int = Field(default=256 * 1024, ge=1_024, le=2**24)
    """Longest result of one tool call, in bytes of UTF-8."""
    reaper_period_s: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds between two looks for envs whose time is over."""
