"""What a server takes, sampled again and again, and whether it grew."""

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import psutil

from tests.chaos.machines import Machine, family

MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """All replicas together, at one moment; latencies of the steps since the sample before."""

    at_s: float
    rss_mib: float
    """Of the server processes."""
    sandbox_mib: float
    """Of the processes below them; what they share is shared out among them."""
    fds: int
    threads: int
    processes: int
    envs: int
    steps: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Bound:
    """How much more the last third may take than the first: so much of it, and so much on top."""

    share: float
    more: float


# Latencies on a machine that is shared double by themselves; a leak does not stop at that.
BOUNDS = {
    "rss_mib": Bound(0.05, 8.0),
    "sandbox_mib": Bound(0.10, 16.0),
    "fds": Bound(0.05, 16.0),
    "threads": Bound(0.0, 4.0),
    "processes": Bound(0.05, 8.0),
    "p50_ms": Bound(0.5, 2.0),
    "p99_ms": Bound(1.0, 20.0),
}


@dataclass(frozen=True)
class Judged:
    """One quantity in the first and in the last third of a soak."""

    first: float
    last: float
    most: float
    """That the last third may have."""
    per_hour: float
    """What the difference comes to in an hour, if it goes on like that."""
    flat: bool


@dataclass
class Latencies:
    """Of steps, in ms, since they were last taken."""

    steps: int = 0
    _recent: list[float] = field(default_factory=list)

    def add(self, ms: float) -> None:
        """One more."""
        self.steps += 1
        self._recent.append(ms)

    def take(self) -> tuple[float, float]:
        """Median and 99th percentile."""
        recent, self._recent = sorted(self._recent), []
        if not recent:
            return 0.0, 0.0
        return recent[len(recent) // 2], recent[min(len(recent) - 1, len(recent) * 99 // 100)]


def sample(replicas: Sequence[Machine], at_s: float, envs: int, latencies: Latencies) -> Sample:
    """How it stands now."""
    servers = [psutil.Process(replica.pid) for replica in replicas]
    below = [process for replica in replicas for process in family(replica.pid)]
    p50, p99 = latencies.take()
    return Sample(
        at_s=round(at_s, 1),
        rss_mib=sum(server.memory_info().rss for server in servers) / MIB,
        sandbox_mib=sum(map(_share, below)) / MIB,
        fds=sum(server.num_fds() for server in servers),
        threads=sum(server.num_threads() for server in servers),
        processes=len(below),
        envs=envs,
        steps=latencies.steps,
        p50_ms=p50,
        p99_ms=p99,
    )


def _share(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def judge(samples: Sequence[Sample]) -> dict[str, Judged]:
    """Each quantity's median in the first and in the last third. Raises ValueError for less than six samples."""
    third = len(samples) // 3
    if third < 2:
        raise ValueError("six samples at least are needed: soak for longer")
    first, last = samples[:third], samples[-third:]
    hours = (statistics.mean(s.at_s for s in last) - statistics.mean(s.at_s for s in first)) / 3_600
    found = {}
    for name, bound in BOUNDS.items():
        before, after = (statistics.median(asdict(one)[name] for one in part) for part in (first, last))
        most = before * (1 + bound.share) + bound.more
        found[name] = Judged(
            first=round(before, 2),
            last=round(after, 2),
            most=round(most, 2),
            per_hour=round((after - before) / hours, 2),
            flat=after <= most,
        )
    return found
