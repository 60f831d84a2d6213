"""`astra eval model`: how good a model behind an endpoint is."""

import os
from typing import Annotated

import typer
from astra_proto.arenas import ArenaView, Split
from astra_proto.errors import AstraError
from astra_proto.solve_rates import Measured, PolicyName, RecordedSolveRates, RecordSolveRates
from astra_service.client import ApiClient
from pydantic import BaseModel, TypeAdapter, ValidationError

from astra import console
from astra.commands.evaluate import app
from astra.connect import PATIENCE_S, Json, command
from astra.measuring import Model, measure
from astra.paging import listing
from astra.progress import bars

RETRIES = 4


class ModelResult(BaseModel):
    """What a model reached."""

    policy: str
    arenas: dict[str, Measured]
    lost: int
    """Episodes that an env failed; they do not count."""


@command(app)
async def model(
    envs: ApiClient,
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model, as the endpoint knows it.")],
    base_url: Annotated[str, typer.Option(help="The endpoint, such as http://127.0.0.1:8000/v1.")],
    api_key: Annotated[str, typer.Option(help="Environment variable that holds its key.")] = "OPENAI_API_KEY",
    split: Annotated[Split, typer.Option(help="Which arenas.")] = Split.TEST,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many arenas.")] = 20,
    episodes: Annotated[int, typer.Option(min=1, max=64, help="Episodes an arena.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 always takes the likeliest token.")] = 0.0,
    max_turns: Annotated[int, typer.Option(min=1, max=64, help="Turns an episode.")] = 12,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Episodes at once.")] = 4,
    policy: Annotated[str | None, typer.Option(help="What to call it among solve rates; default: MODEL.")] = None,
    as_json: Json = False,
) -> None:
    """Let a model behind an OpenAI-compatible endpoint play arenas. How often it solved each is kept with the arena.

    Example: astra eval model qwen3-8b --base-url http://127.0.0.1:8000/v1 --limit 50 --episodes 4 --temperature 0.7
    """
    try:
        called = TypeAdapter(PolicyName).validate_python(policy or name)
    except ValidationError:
        told = f"--policy: {policy or name!r} is no name for a policy: use letters, digits and ./:@+-"
        raise typer.BadParameter(told) from None
    views = await listing(envs, "/arenas", ArenaView, limit=limit, split=split)
    if not views:
        raise AstraError(f"there are no {split} arenas to play: have some made with `astra synth arenas DOMAIN`.")
    async with ApiClient(base_url, os.environ.get(api_key), timeout_s=PATIENCE_S, retries=RETRIES) as endpoint:
        asked = Model(endpoint, name, temperature, max_turns)
        with bars() as progress:
            bar = progress.add_task(f"{called} plays", total=len(views) * episodes, note="")
            arenas = [view.id for view in views]
            found, lost = await measure(envs, asked, arenas, episodes, at_once, lambda: progress.advance(bar))
    if not found:
        raise AstraError(f"all {lost} episodes were lost to failures of the environment server: look at its log.")
    source = f"astra eval model, T={temperature:g}, {episodes} episodes"
    body = RecordSolveRates(policy=called, source=source, arenas=found)
    await envs.post("/solve-rates", body, RecordedSolveRates, repeatable=True)
    _show(ModelResult(policy=called, arenas=found, lost=lost), as_json)


def _show(result: ModelResult, as_json: bool) -> None:
    if as_json:
        console.emit(result)
        return
    count = len(result.arenas)
    solved, f1 = (sum(getattr(each, what) for each in result.arenas.values()) / count for what in ("solve_rate", "f1"))
    lost = f"; {result.lost} episodes were lost and do not count" if result.lost else ""
    console.say(f"{result.policy} solves {100 * solved:.1f} % of {count} arenas, mean F1 {f1:.3f}{lost}.")
    console.say("Beside the other policies: `astra arena difficulty`.", "dim")
