"""What the tool registry can be told from outside."""

from pathlib import Path

from astra_service.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Settings of the tool registry."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_TOOL_REGISTRY_", use_attribute_docstrings=True)

    port: int = Field(default=8001, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    database_url: str = "sqlite+aiosqlite:///.astra/tool-registry.db"
    """SQLAlchemy URL: `postgresql+asyncpg://…` or `sqlite+aiosqlite:///…`."""

    allowed_commands: list[str] = ["uvx", "git"]
    """Commands that an imported server may be started and set up with, as JSON; an empty list starts nothing. `uvx`
    runs any published package, so whoever may import servers may run code as this service's user."""
    passed_env: list[str] = [
        "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
        "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE",
    ]  # fmt: skip
    """Variables of this service's own environment that tool servers see, as JSON; of the rest they see nothing."""
    uv_cache_dir: Path = Path("~/.cache/uv")
    """Where `uvx` keeps packages. A package that is there starts without the package registry."""
    npm_cache_dir: Path = Path("~/.npm")
    """Where `npx` keeps packages, if it is allowed."""
    workdir_root: Path | None = None
    """Folder in which each session gets a fresh folder of its own. Without it, the system's temporary folder."""

    start_timeout_s: float = Field(default=120.0, gt=0, le=600)
    """Seconds that a server may take to set up, start and introduce itself. The first start downloads its packages."""
    stop_timeout_s: float = Field(default=1.0, ge=0, le=60)
    """Seconds that a server gets to leave by itself when its session ends, before it is killed."""
    max_imports: int = Field(default=2, ge=1, le=64)
    """Imports that run at once; more wait."""
    max_sessions: int = Field(default=32, ge=0, le=10_000)
    """Live sessions, each a server process; more are refused with 429."""
    max_pending_calls: int = Field(default=16, ge=1, le=1_000)
    """Calls that may wait for their turn in one session; more are refused with 429."""
    max_message_bytes: int = Field(default=4 * 2**20, ge=1_024)
    """Largest message a server may send; a larger one ends its connection."""
    max_output_chars: int = Field(default=32_768, ge=256)
    """Longest tool output that is handed on; the rest is cut off and the cut is told."""

    min_tools: int = Field(default=1, ge=1)
    """Fewest fit tools with which a server is imported. The paper drops groups below 3 (§3.1.1); a smaller one has no
    chains to speak of, but its tools can still be searched and called, so it is let in unless told otherwise."""
    max_tools: int = Field(default=256, ge=1, le=1_024)
    """Most tools a server may list."""
    min_description_words: int = Field(default=2, ge=1, le=50)
    """Fewest words of a description that is not too vague."""
    max_schema_bytes: int = Field(default=65_536, ge=256)
    """Largest JSON Schema of a tool's parameters."""
