"""The soak as a picture: each quantity over time, with what its last third may have."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

from tests.chaos.samples import Judged, Sample

mpl.use("Agg")
from matplotlib import pyplot as plt

_TITLES = {
    "rss_mib": "servers, MiB",
    "sandbox_mib": "sandbox, MiB",
    "fds": "file descriptors",
    "threads": "threads",
    "processes": "processes",
    "p50_ms": "step, median ms",
    "p99_ms": "step, 99th percentile ms",
}


def draw_samples(samples: Sequence[Sample], verdict: Mapping[str, Judged], path: Path) -> None:
    """Write the picture as PNG."""
    figure, places = plt.subplots(4, 2, figsize=(10, 9), sharex=True, layout="constrained")
    minutes = [one.at_s / 60 for one in samples]
    flat = list(places.flat)
    for place, (name, title) in zip(flat, _TITLES.items(), strict=False):
        values, judged = [asdict(one)[name] for one in samples], verdict[name]
        place.plot(minutes, values, linewidth=1, color="#1f6f8b" if judged.flat else "#b3261e")
        place.axhline(judged.most, linestyle=":", linewidth=1, color="#777777")
        place.set_title(f"{title}: {judged.first:g} → {judged.last:g}", fontsize=10, loc="left")
        place.set_ylim(0, max(*values, judged.most) * 1.1)
        place.spines[["top", "right"]].set_visible(False)
        place.set_xlabel("minutes")
    flat[-1].set_axis_off()
    flat[-1].text(0, 0.5, "dotted: the most that the median\nof the last third may be", va="center", color="#555555")
    figure.suptitle("env-server at half capacity", x=0.01, ha="left", fontweight="bold")
    figure.savefig(path, dpi=110)
    plt.close(figure)
