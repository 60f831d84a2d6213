"""What can be watched, beside what every service counts."""

from astra_proto.envs import ErrorClass
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from astra_env_server.sandbox.base import Stats

MAX_DOMAINS = 32
"""Domains with a name of their own in the metrics. Arenas are as many as one likes, and so no label of anything."""
REMEMBERED = 10_000


class Metrics:
    """The env server's own metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.envs = Gauge("astra_env_live", "Envs open in this process", registry=registry)
        steps = Counter("astra_env_steps", "Steps taken, by what went wrong in them", ["error"], registry=registry)
        # Looked up once: to find a metric by its labels costs more than to count.
        self._steps = {error: steps.labels(error or "none") for error in (None, *ErrorClass)}
        self._step_seconds = Histogram(
            "astra_env_step_seconds", "Time a step takes, from lock to commit", ["tier", "domain", "topology"],
            registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )  # fmt: skip
        self._took: dict[tuple[str, str, str], Histogram] = {}
        self._domains: set[str] = set()
        self.log_commit = Histogram(
            "astra_env_log_commit_steps", "Steps and resets that one commit of the log held", registry=registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
        )  # fmt: skip
        self.runners = Gauge("astra_env_runners", "Sandbox runners, those that wait included", registry=registry)
        self.max_runners = Gauge("astra_env_max_runners", "Runners that there may be", registry=registry)
        self.warm = Gauge("astra_env_pool_depth", "Runners that wait for an arena", registry=registry)
        self.sessions = Gauge("astra_env_sessions", "Sessions open in the sandbox", registry=registry)
        self.reaped = Counter(
            "astra_env_orphans_reaped", "What was left behind and has been ended, by what it was", ["kind"],
            registry=registry,
        )  # fmt: skip
        for kind in ("env", "container"):
            self.reaped.labels(kind)  # shown from the start, as a zero
        self._containers = 0
        self.forks = Counter("astra_env_sandbox_forks", "Sessions opened in the sandbox", registry=registry)
        self.replays = Counter("astra_env_replays", "Episodes rebuilt from their log", registry=registry)
        self.infra_failures = Counter("astra_env_infra_failures", "Steps lost to the sandbox", registry=registry)
        self.turned_away = Counter(
            "astra_env_turned_away",
            "Requests that their key did not allow",
            ["error"],
            registry=registry,
        )
        self.published = Counter(
            "astra_env_arenas", "Arenas sent to the gate, by its answer", ["sound"], registry=registry
        )
        self.refusals = Counter(
            "astra_env_gate_refusals", "Checks that an arena did not pass", ["check"], registry=registry
        )
        self.gate_seconds = Histogram(
            "astra_env_gate_seconds", "Time that the gate takes for an arena, its turn not counted", ["sound"],
            registry=registry, buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )  # fmt: skip
        self.forwarded = Counter(
            "astra_env_forwarded", "Requests handed on to another replica, by what came of it", ["outcome"],
            registry=registry,
        )  # fmt: skip

    def step_ended(self, error: ErrorClass | None) -> None:
        """Count a step by what went wrong in it."""
        self._steps[error].inc()
        if error is ErrorClass.INFRA:
            self.infra_failures.inc()

    def step_took(self, seconds: float, tier: str, domain: str, topology: str) -> None:
        """Note how long a step took, and where. Domains are free text: the first few have their own name here."""
        place = (tier, domain, topology)
        histogram = self._took.get(place)
        if histogram is None:
            if len(self._domains) < MAX_DOMAINS:
                self._domains.add(domain)
            shown = domain if domain in self._domains else "other"
            histogram = self._step_seconds.labels(tier, shown, topology)
            if len(self._took) < REMEMBERED:
                self._took[place] = histogram
        histogram.observe(seconds)

    def sandbox(self, stats: Stats) -> None:
        """Note how full the sandbox is."""
        self.runners.set(stats.runners)
        self.max_runners.set(stats.max_runners)
        self.warm.set(stats.warm)
        self.sessions.set(stats.sessions)
        self.reaped.labels("container").inc(stats.reaped - self._containers)
        self._containers = stats.reaped

    def refused(self, error: str) -> None:
        """Count a request that its key does not allow."""
        self.turned_away.labels(error).inc()
