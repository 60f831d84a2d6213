"""What can be watched, beside what every service counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The env server's own metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.envs = Gauge("astra_env_live", "Envs open in this process", registry=registry)
        self.steps = Counter("astra_env_steps", "Steps taken, by what went wrong in them", ["error"], registry=registry)
        self.step_seconds = Histogram(
            "astra_env_step_seconds", "Time a step takes, from lock to commit", registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )  # fmt: skip
        self.forks = Counter("astra_env_sandbox_forks", "Sessions opened in the sandbox", registry=registry)
        self.replays = Counter("astra_env_replays", "Episodes rebuilt from their log", registry=registry)
        self.infra_failures = Counter("astra_env_infra_failures", "Steps lost to the sandbox", registry=registry)
        self.published = Counter(
            "astra_env_arenas", "Arenas sent to the gate, by its answer", ["sound"], registry=registry
        )
        self.refusals = Counter(
            "astra_env_gate_refusals", "Checks that an arena did not pass", ["check"], registry=registry
        )
