"""`astra env`: be the agent in an arena."""

import subprocess
import sys
from datetime import datetime
from typing import Annotated

import typer
from astra_proto.envs import CreateEnv, EnvStatus, EnvView, RewardMode, Score
from astra_proto.errors import AstraError
from astra_proto.tiers import Capacity, Isolation, Tiers
from astra_service.client import ApiClient

from astra import console, playing
from astra.bands import Distractors, band_counts
from astra.commands import keys
from astra.connect import Json, command
from astra.paging import listing
from astra.services import Service

app = typer.Typer(
    name="env", no_args_is_help=True, help="Envs: play an arena yourself, or watch its golden calls play it."
)
app.add_typer(keys.app)


Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the episode.")]


@command(app)
async def create(
    envs: ApiClient,
    arena: Annotated[str, typer.Argument(metavar="ARENA", help="Id of the arena.")],
    seed: Seed = 0,
    distractors: Distractors = "",
    max_steps: Annotated[int, typer.Option(min=1, max=256, help="Steps after which an episode is cut off.")] = 32,
    ttl_s: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds without a call that it lives.")] = 900.0,
    reward_mode: Annotated[RewardMode, typer.Option(help="When an episode pays.")] = RewardMode.DELTA,
    score: Annotated[Score, typer.Option(help="What it pays; recall and precision alone are for ablation.")] = Score.F1,
    final_answer: Annotated[
        bool, typer.Option("--final-answer", help="Count the final answer as one more sub-task.")
    ] = False,
    min_isolation: Annotated[Isolation | None, typer.Option(help="Refuse a server whose tools run in less.")] = None,
    as_json: Json = False,
) -> None:
    """Make an env for an agent of yours: reset it, step it, delete it at the address that is told.

    Example: astra env create ar_0123456789abcdef0123456789abcdef --distractors high=2,medium=1,low=0
    """
    asked = CreateEnv(
        arena_id=arena, seed=seed, distractors=band_counts(distractors), max_steps=max_steps, ttl_s=ttl_s,
        reward_mode=reward_mode, score=score, final_answer=final_answer, min_isolation=min_isolation,
    )  # fmt: skip
    env = await envs.post("/envs", asked, EnvView)
    if as_json:
        console.emit(env)
        return
    drawn = ", ".join(f"{count} {band}" for band, count in env.distractors.model_dump().items() if count)
    console.say(f"{env.id} · {env.isolation} · {f'distractors: {drawn}' if drawn else 'no distractors'}")
    console.say(f"POST /envs/{env.id}/reset begins; it also speaks OpenEnv (…/ws) and MCP (…/mcp).", "dim")


@command(app)
async def ls(
    envs: ApiClient,
    status: Annotated[EnvStatus | None, typer.Option(help="Only those of this status.")] = None,
    arena: Annotated[str | None, typer.Option(metavar="ARENA", help="Only those of this arena.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The envs that your key may use: an agent's own, a tenant's, all for an admin.

    Example: astra env ls --status open
    """
    found = await listing(envs, "/envs", EnvView, limit=limit, status=status, arena_id=arena)
    if as_json:
        console.emit_all(found)
        return
    rows = [(e.id, e.arena_id, e.status, f"{e.steps}/{e.max_steps}", _moment(e.created_at), _left(e)) for e in found]
    columns = ("id", "arena", "status", "steps", "made", "lives until")
    console.table("Envs", columns, rows, empty="No such envs. `astra env create ARENA` makes one.")


@command(app)
async def rm(
    envs: ApiClient,
    env: Annotated[list[str], typer.Argument(metavar="ENV...", help="Ids of envs, env_….")],
) -> None:
    """End envs, their processes and their logs.

    Example: astra env rm env_0123456789abcdef0123456789abcdef
    """
    for each in env:
        await envs.get(f"/envs/{each}", EnvView)  # that there is none must be told
        await envs.delete(f"/envs/{each}")
        console.say(f"{each} is gone.")


@command(app)
async def play(
    envs: ApiClient,
    arena: Annotated[str, typer.Argument(metavar="ARENA", help="Id of the arena.")],
    golden: Annotated[bool, typer.Option("--golden", help="Let the arena's own golden calls play it.")] = False,
    seed: Seed = 0,
    distractors: Distractors = "",
    as_json: Json = False,
) -> None:
    """Play one episode: you are the agent and get the tools, the observations and the reward of one.

    Examples:

      astra env play ar_0123456789abcdef0123456789abcdef

      astra env play ar_0123456789abcdef0123456789abcdef --golden --json
    """
    if as_json and not golden:
        raise typer.BadParameter("--json goes with --golden: a person plays in words")
    asked = CreateEnv(arena_id=arena, seed=seed, distractors=band_counts(distractors))
    await playing.play(envs, asked, golden=golden, as_json=as_json)


@command(app)
async def capacity(envs: ApiClient, as_json: Json = False) -> None:
    """How much room the environment server has, and the isolation its tools run in.

    Example: astra env capacity
    """
    now = await envs.get("/capacity", Capacity)
    if as_json:
        console.emit(now)
        return
    console.say(
        f"{now.envs} of {now.max_envs} envs, {now.runners} of {now.max_runners} runners; isolation: {now.isolation}, "
        f"a runner for each {now.isolation_scope}"
    )


@app.command()
def tiers(as_json: Json = False) -> None:
    """Which tiers of isolation work on this machine, and why not the others: each is shown by running a tool in it.

    Example: astra env tiers
    """
    # The service knows, and is another program: nothing of it is imported here.
    asked = [sys.executable, "-m", Service.ENV_SERVER.module, "tiers"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise AstraError(f"the environment server cannot say: {ended.stderr.strip()[-2000:]}")
    found = Tiers.model_validate_json(ended.stdout)
    if as_json:
        console.emit(found)
        return
    rows = [(state.tier.value, "yes" if state.works else "no", state.reason or "") for state in found.tiers]
    console.table("Isolation, weakest first", ("tier", "works", "why not"), rows)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _left(env: EnvView) -> str:
    return _moment(env.expires_at) if env.status is EnvStatus.OPEN else ""
