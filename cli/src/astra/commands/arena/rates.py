"""Solve rates for people."""

from astra_proto.solve_rates import SolveRates

from astra import console


def show_rates(rates: SolveRates) -> None:
    """What is known of one arena."""
    ordered = sorted(rates.items(), key=lambda item: (item[1].solve_rate, item[1].f1))
    rows = [
        (name, percent(rate.solve_rate), rate.f1, rate.episodes, f"{rate.measured_at:%Y-%m-%d}", rate.source)
        for name, rate in ordered
    ]
    console.table(
        "\nSolve rates, the weakest policy first",
        ("policy", "solved", "F1", "episodes", "measured", "by"),
        rows,
        empty="\nNo policy was measured in it yet.",
    )


def percent(share: float | None) -> str:
    """A share for people; nothing where there is none."""
    return "" if share is None else f"{100 * share:5.1f} %"
