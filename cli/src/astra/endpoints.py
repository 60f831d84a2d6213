"""Where the services are: an option, the environment, a running `astra up`, or the default ports, in this order."""

import os
from pathlib import Path

from astra_proto.errors import AstraError
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from astra.services import Service


class ClientSettings(BaseSettings):
    """What a client takes from the environment."""

    model_config = SettingsConfigDict(env_prefix="ASTRA_", use_attribute_docstrings=True)

    data_dir: Path = Path(".astra")
    """Folder of `astra up`, in which its endpoints are found."""
    tool_registry_url: str | None = None
    """Address of the tool registry."""
    synth_worker_url: str | None = None
    """Address of the synthesis worker."""
    env_server_url: str | None = None
    """Address of the environment server."""
    trainer_url: str | None = None
    """Address of the trainer."""
    api_token: SecretStr | None = None
    """Bearer token of the services."""

    def url(self, service: Service) -> str | None:
        """The address that the environment gives for a service."""
        found: str | None = getattr(self, f"{service.snake}_url")
        return found

    def token(self) -> str | None:
        """The token in clear. Raises AstraError for a text that can be none."""
        token = self.api_token.get_secret_value() if self.api_token else None
        if token and not (token.isascii() and token.isprintable()):
            raise AstraError("ASTRA_API_TOKEN holds a line break or a letter that is not ASCII: no token does.")
        return token


class Endpoints(BaseModel):
    """What `astra up` writes down for its clients, readable by its user alone."""

    pid: int
    token: str | None
    urls: dict[Service, str]
    logs: dict[Service, str]

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Where they are written."""
        return data_dir / "endpoints.json"

    def write(self, data_dir: Path) -> None:
        """Write them, in one piece."""
        draft = self.path(data_dir).with_suffix(".tmp")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.model_dump_json(indent=1) + "\n")
        draft.replace(self.path(data_dir))

    @classmethod
    def read(cls, data_dir: Path) -> "Endpoints | None":
        """Those of the last `astra up` in this folder, if there are any."""
        try:
            return cls.model_validate_json(cls.path(data_dir).read_bytes())
        except (OSError, ValidationError):
            return None


def find(service: Service, settings: ClientSettings, url: str | None = None) -> tuple[str, str | None]:
    """Address and token of a service.

    The token of `astra up` goes only to the addresses of `astra up`; any other gets the one of the environment.
    """
    if given := url or settings.url(service):
        return given, settings.token()
    if running := Endpoints.read(settings.data_dir):
        return running.urls[service], running.token or settings.token()
    return f"http://127.0.0.1:{service.port}", settings.token()
