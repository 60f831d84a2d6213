"""What the trainer can be told from outside."""

from pathlib import Path

from astra_service.settings import ServiceSettings
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Settings of the trainer."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_TRAINER_", use_attribute_docstrings=True)

    port: int = Field(default=8004, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    database_url: str = "sqlite+aiosqlite:///.astra/trainer.db"
    """SQLAlchemy URL: `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`."""
    env_server_url: str = "http://127.0.0.1:8003"
    """Where the env-server answers."""
    synth_worker_url: str = "http://127.0.0.1:8002"
    """Where the synth-worker answers."""
    service_token: SecretStr | None = None
    """Bearer token for calling the other services."""

    data_dir: Path = Path(".astra/trainer")
    """Folder of data, metrics and checkpoints, one subfolder a run."""
    engine_python: str = ""
    """Python that has the training engine installed; empty for the one that runs this service."""
    parallel: int = Field(default=1, ge=1, le=64)
    """Runs and evaluations that are worked on at once."""
    poll_s: float = Field(default=2.0, gt=0, le=60)
    """Seconds between looks for work when no wake-up comes."""
    stop_grace_s: float = Field(default=20.0, ge=0, le=600)
    """Seconds an engine may take to save and end when it is told to stop."""

    def calling_token(self) -> str | None:
        """The token for the other services in clear, or none."""
        return self.service_token.get_secret_value() if self.service_token else None
