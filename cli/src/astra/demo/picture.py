"""The demo in one picture: SFT's loss, RL's reward, and F1 on held-out arenas."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from astra.demo.report import Report

INK, FAINT = "#2b2d33", "#c9ccd3"
SFT, RL, BASE = "#3b6fb6", "#d1603d", "#9aa0ab"
NAMES = {"base": "untrained", "sft": "SFT", "rl": "SFT + RL"}
COLOURS = {"base": BASE, "sft": SFT, "rl": RL}
WEIGHT = 0.25
"""Of the newest value in the smoothed reward."""


def draw(report: Report, path: Path) -> None:
    """Write the picture as a PNG."""
    style = {
        "font.size": 10,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#eceef1",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(13, 4.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _loss(left, report.sft_loss)
        _reward(middle, report.rl_reward)
        _scores(right, report)
        figure.suptitle(
            f"{report.arenas.published} arenas published · {report.trajectories.kept} trajectories kept · "
            f"{report.wall_s / 60:.1f} min",
            x=0.01, ha="left", fontsize=13, fontweight="bold",
        )  # fmt: skip
        figure.savefig(path, dpi=150)


def smooth(values: Sequence[float], weight: float = WEIGHT) -> list[float]:
    """The exponential moving average, corrected for its start."""
    mean, share, smoothed = 0.0, 0.0, []
    for value in values:
        mean += weight * (value - mean)
        share += weight * (1 - share)
        smoothed.append(mean / share)
    return smoothed


def _loss(axes: Axes, curve: list[tuple[int, float]]) -> None:
    axes.set(title="SFT: loss on assistant tokens", xlabel="step", ylabel="cross-entropy (nats)")
    if curve:
        steps, values = zip(*curve, strict=True)
        axes.plot(steps, values, color=SFT, linewidth=1.8)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.text(0.97, 0.93, f"{values[-1]:.3f} at the end", transform=axes.transAxes, ha="right")


def _reward(axes: Axes, curve: list[tuple[int, float]]) -> None:
    axes.set(title="RL: mean reward of the episodes", xlabel="step", ylabel="F1")
    if curve:
        steps, values = zip(*curve, strict=True)
        axes.plot(steps, values, "o", color=RL, alpha=0.3, markersize=4, label="each step")
        axes.plot(steps, smooth(values), color=RL, linewidth=2.2, label="smoothed")
        axes.legend(frameon=False, loc="lower right")


def _scores(axes: Axes, report: Report) -> None:
    axes.set(title="Held-out arenas: mean F1", ylim=(0, 1.12), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False, axis="x")
    for place, (name, score) in enumerate(report.eval.items()):
        axes.bar(place, score.f1, width=0.62, color=COLOURS[name])
        low, high = min(score.f1_std, score.f1), min(score.f1_std, 1 - score.f1)
        axes.errorbar(place, score.f1, yerr=[[low], [high]], color=INK, capsize=4, linewidth=1.1)
        axes.text(place - 0.3, score.f1 + 0.015, f"{score.f1:.2f}", ha="left", va="bottom", fontweight="bold")
    axes.set_xticks(range(len(report.eval)), [NAMES[name] for name in report.eval])
    axes.set_xlabel("bars: standard deviation over arenas, inside [0, 1]")
