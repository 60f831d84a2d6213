"""What the worker counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.claimed = Counter("astra_synth_jobs_claimed", "Jobs claimed", ["kind"], registry=registry)
        self.ended = Counter(
            "astra_synth_jobs_ended", "Attempts at jobs by how they ended and why", ["kind", "status", "reason"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "astra_synth_job_seconds", "Time of one attempt", ["kind"], registry=registry,
            buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800),
        )  # fmt: skip
        self.running = Gauge("astra_synth_jobs_running", "Jobs in this process's hands", registry=registry)
        self.stages = Counter(
            "astra_synth_stages", "Stages by whether they were run or read back", ["stage", "how"], registry=registry
        )
        self.llm_calls = Counter("astra_synth_llm_calls", "Calls to the model", ["kind"], registry=registry)
        self.llm_tokens = Counter("astra_synth_llm_tokens", "Tokens, both ways", ["kind"], registry=registry)
        self.llm_malformed = Counter(
            "astra_synth_llm_malformed", "Replies that could not be read", ["kind"], registry=registry
        )
        self.llm_repaired = Counter(
            "astra_synth_llm_repaired", "Replies that were read after repair", ["kind"], registry=registry
        )
