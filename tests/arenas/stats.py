"""What came of a run, beside what the paper tells of its own arenas."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from astra_proto.arenas import ArenaView
from pydantic import BaseModel

from tests.arenas import mix


class Share(BaseModel):
    """How much there is of one kind."""

    count: int
    share: float
    paper: float | None = None


class Hops(BaseModel):
    """Sub-questions of an arena, which is what the paper's mean of 4.37 "hops" must be; and layers."""

    mean: float
    paper: float = mix.HOPS
    median: float
    counts: dict[int, int]
    """Sub-questions to arenas."""
    layers: dict[int, int]
    """Calls that must follow one another, at least, to arenas."""


class Cpu(BaseModel):
    """CPU milliseconds an arena, refused ones included in the arenas."""

    synth_worker: float
    env_server: float
    """Its own process: the gate's checks, HTTP, the database."""
    sandbox: float
    """The processes below it."""


class World(BaseModel):
    """What was drawn of one world of the offline teacher."""

    drawn: int
    languages: dict[str, int]
    topology: dict[str, int]
    hops: dict[int, int]
    """Calls that must follow one another to arenas."""


class Distinct(BaseModel):
    """Arenas drawn with one seed after another, and how many of them are not the same."""

    drawn: int
    distinct: int
    wall_s: float
    worlds: dict[str, World]


class Stats(BaseModel):
    """The file ``stats.json``."""

    asked: int
    published: int
    runs: int
    """One, if none was cut off."""
    wall_s: float
    """Seconds from the first job to the last; of all runs together when one went on behind another."""
    cores: int
    refused: dict[str, int]
    """Reason to arenas."""
    topology: dict[str, Share]
    hops: Hops
    language: dict[str, Share]
    domain: dict[str, int]
    stateful: int
    """Arenas whose tools share a state that some of them change."""
    split: dict[str, int]
    gate_cpu_ms: float
    """CPU milliseconds an arena of the env server and its sandbox, which do little but judge here."""
    cpu_ms: Cpu
    distinct: Distinct | None = None


def shares(found: Sequence[str], paper: Mapping[str, float]) -> dict[str, Share]:
    """Kinds by the paper's share, largest first."""
    counts = Counter(found)
    every = sorted({*counts, *paper}, key=lambda kind: -paper.get(kind, 0.0))
    total = max(1, len(found))
    return {
        kind: Share(count=counts[kind], share=round(counts[kind] / total, 4), paper=paper.get(kind)) for kind in every
    }


def build(
    views: Sequence[ArenaView],
    *,
    asked: int,
    runs: int,
    wall_s: float,
    cores: int,
    refused: Mapping[str, int],
    stateful: int,
    cpu: Cpu,
) -> Stats:
    """The figures of what was published, as the env server shows it."""
    sizes = [view.subtask_count for view in views]
    return Stats(
        asked=asked,
        published=len(views),
        runs=runs,
        wall_s=round(wall_s, 1),
        cores=cores,
        refused=dict(refused),
        topology=shares([view.topology.value for view in views], {t.value: s for t, s in mix.TOPOLOGIES.items()}),
        hops=Hops(
            mean=round(fmean(sizes), 3) if sizes else 0.0,
            median=median(sizes) if sizes else 0.0,
            counts=dict(sorted(Counter(sizes).items())),
            layers=dict(sorted(Counter(view.hops for view in views).items())),
        ),
        language=shares([view.language for view in views], {str(lang): s for lang, s in mix.LANGUAGES.items()}),
        domain=dict(sorted(Counter(view.domain for view in views).items())),
        stateful=stateful,
        split=dict(sorted(Counter(view.split.value for view in views).items())),
        gate_cpu_ms=round(cpu.env_server + cpu.sandbox, 1),
        cpu_ms=cpu,
    )
