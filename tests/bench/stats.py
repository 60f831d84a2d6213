"""The arithmetic of the report."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], q: float) -> float:
    """The smallest value that ``q`` percent of the values do not exceed (nearest rank; no interpolation)."""
    if not values:
        raise ValueError("values: no percentile of nothing")
    if not 0 < q <= 100:
        raise ValueError(f"q: {q} is no percentage above 0")
    ordered = sorted(values)
    return ordered[math.ceil(q / 100 * len(ordered)) - 1]


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones."""
    if not values:
        raise ValueError("values: no median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def paired_ratio(values: Sequence[float], against: Sequence[float]) -> float:
    """The median of the ratios round by round, so that a round on a busy machine spoils itself alone."""
    return median([a / b for a, b in zip(values, against, strict=True)])
