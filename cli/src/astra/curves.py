"""Learning curves as text."""

from collections.abc import Collection, Sequence

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 72


def headline(kind: str, known: Collection[str]) -> str:
    """The number that tells how a run goes: the loss of SFT, the reward of RL."""
    return next(
        (name for name in ("reward", "reward_mean") if kind == "rl" and name in known),
        "loss" if kind == "sft" else "reward",
    )


def sparkline(values: Sequence[float], width: int = WIDTH) -> str:
    """The values as one line of bars, averaged down to ``width`` of them."""
    size = max(1, -(-len(values) // width))
    means = [sum(values[i : i + size]) / len(values[i : i + size]) for i in range(0, len(values), size)]
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(BARS[round((mean - low) / span * (len(BARS) - 1))] for mean in means)
