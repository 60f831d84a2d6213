"""The four services by name: where each listens if nothing else is said, and how its process is started."""

from enum import StrEnum


class Service(StrEnum):
    """A service, named as its folder is."""

    TOOL_REGISTRY = "tool-registry"
    SYNTH_WORKER = "synth-worker"
    ENV_SERVER = "env-server"
    TRAINER = "trainer"

    @property
    def module(self) -> str:
        """What ``python -m`` starts."""
        return f"astra_{self.snake}"

    @property
    def snake(self) -> str:
        """The name as a Python identifier."""
        return self.value.replace("-", "_")

    @property
    def env_prefix(self) -> str:
        """What the names of its settings begin with in the environment."""
        return f"ASTRA_{self.snake.upper()}_"

    @property
    def port(self) -> int:
        """The port it has unless told otherwise."""
        return 8001 + list(Service).index(self)
