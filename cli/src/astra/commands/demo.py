"""`astra demo`: the whole road once, with a table and a picture at its end."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from astra import console
from astra.demo import run
from astra.demo.plan import fast, whole
from astra.demo.report import Report
from astra.endpoints import ClientSettings

NAMES = {"base": "untrained", "sft": "SFT", "rl": "SFT + RL"}


def demo(
    arenas: Annotated[
        int, typer.Option(min=8, max=20_000, help="Arenas to try for training; an eighth more are held out.")
    ] = 400,
    trajectories: Annotated[int, typer.Option(min=1, max=5_000, help="Trajectories to try.")] = 48,
    seed: Annotated[int, typer.Option(min=0, max=10_000, help="The same seed makes the same arenas.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for report.json and learning.png.")] = Path("out/demo"),
    quick: Annotated[
        bool, typer.Option("--fast", help="A smoke run of a minute or two: all parts, nothing learnt.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Databases, logs and models go here; default .astra.")] = None,
) -> None:
    """From real tools to a trained agent: import tool servers, make trajectories and arenas, train, evaluate.

    Uses the services of a running `astra up` on the same data folder, else starts its own and ends them
    afterwards. Needs no key, no GPU and no Docker. What is done already is not done again: break it off with Ctrl-C
    and start it again at will. About ten minutes on two cores.

    Examples:

      astra demo

      astra demo --fast --out /tmp/demo
    """
    settings = ClientSettings(data_dir=data_dir) if data_dir else ClientSettings()
    plan = fast(seed) if quick else whole(seed, arenas, trajectories)
    try:
        report = asyncio.run(run.demo(plan, settings))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    from astra.demo import picture  # matplotlib is slow to import, and no other command needs it

    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(report.model_dump_json(indent=1) + "\n")
    picture.draw(report, out / "learning.png")
    show(report)
    console.say(
        f"\n{out / 'report.json'} has the numbers, {out / 'learning.png'} the curves. {report.wall_s:.0f} s in all."
    )


def show(report: Report) -> None:
    """The result for people."""
    refused = ", ".join(f"{number} {reason}" for reason, number in report.arenas.refused.items()) or "none"
    rows = [
        ("tool servers", f"{len(report.servers)} with {report.tools} tools: {', '.join(report.servers)}"),
        (
            "arenas published",
            f"{report.arenas.published}, the golden calls of each earn at least {report.arenas.oracle_reward_min:.2f}",
        ),
        ("arenas refused", refused),
        (
            "trajectories kept",
            f"{report.trajectories.kept}, with {report.trajectories.tool_results} answers of real tools",
        ),
    ]
    console.table("\nMade", ("", ""), rows)
    scores = [
        (
            NAMES[name],
            f"{score.f1:.3f} ± {score.f1_std:.3f}",
            "–" if score.greedy_f1 is None else f"{score.greedy_f1:.3f}",
            f"{score.solved:.1%}",
            "–" if score.calls_per_solved is None else f"{score.calls_per_solved:.2f}",
        )
        for name, score in report.eval.items()
    ]
    columns = ("policy", "mean F1 ± spread", "greedy F1", "sub-tasks solved", "calls per solved sub-task")
    console.table("\nOn held-out arenas", columns, scores)
    console.say(f"\n{report.verdict}")
