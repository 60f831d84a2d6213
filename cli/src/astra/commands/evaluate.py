"""`astra eval`: how good a policy is."""

from typing import Annotated

import typer
from astra_proto.arenas import Split
from astra_proto.errors import AstraError
from astra_proto.ids import content_id
from astra_proto.runs import CreateEvaluation, Evaluation, RunStatus
from astra_proto.solve_rates import RecordedSolveRates
from astra_service.client import ApiClient

from astra import console
from astra.bands import Distractors, band_counts
from astra.connect import Json, command
from astra.paging import listing
from astra.progress import follow_evaluation, while_waiting

app = typer.Typer(name="eval", no_args_is_help=True, help="Evaluation: let a policy play held-out arenas and score it.")


@command(app)
async def run(
    trainer: ApiClient,
    policy: Annotated[str, typer.Argument(help="Id of a run, or base:scratch for the untrained model.")],
    split: Annotated[Split, typer.Option(help="Which arenas.")] = Split.TEST,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many arenas.")] = 100,
    seeds: Annotated[str, typer.Option(help="Seeds of the episodes, by commas.")] = "0,1,2",
    temperature: Annotated[
        float, typer.Option(min=0, max=5, help="Of the policy; 0 always takes the likeliest token.")
    ] = 0.7,
    distractors: Distractors = "",
    name: Annotated[str | None, typer.Option(help="What the policy is called among the solve rates of arenas.")] = None,
    key: Annotated[
        str | None, typer.Option(help="The same key is the same evaluation. Default: a hash of the options.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Follow to the end; Ctrl-C only stops following.")] = True,
    as_json: Json = False,
) -> None:
    """Play arenas with a policy and score it. How often it solved each arena is kept with the arena.

    Example: astra eval run run_0123456789abcdef0123456789abcdef --seeds 0,1,2
    """
    try:
        numbers = [int(part) for part in seeds.split(",")]
    except ValueError:
        raise typer.BadParameter("seeds are whole numbers separated by commas, such as 0,1,2") from None
    asked = {"policy": policy, "split": split, "limit": limit, "seeds": numbers, "temperature": temperature}
    if (counts := band_counts(distractors)).total:  # else the key stays what it was
        asked["distractors"] = counts.model_dump()
    if name is not None:
        asked["name"] = name
    body = CreateEvaluation.model_validate({"key": key or content_id("cli", asked), **asked})
    evaluation = await trainer.post("/evaluations", body, Evaluation, repeatable=True)

    async def follow() -> None:
        nonlocal evaluation
        evaluation = await follow_evaluation(trainer, evaluation)

    if wait:
        await while_waiting(f"Playing {split} arenas", follow())
    _show(evaluation, as_json)
    if evaluation.status is RunStatus.FAILED:
        raise AstraError(f"the evaluation failed: {evaluation.detail}")


@command(app)
async def record(
    trainer: ApiClient,
    evaluation: Annotated[str, typer.Argument(metavar="EVALUATION", help="Id of the evaluation.")],
    as_json: Json = False,
) -> None:
    """Tell the arenas once more how often they were solved. Every evaluation does so at its end.

    Example: astra eval record ev_0123456789abcdef0123456789abcdef
    """
    told = await trainer.post(f"/evaluations/{evaluation}/solve-rates", None, RecordedSolveRates, repeatable=True)
    if as_json:
        console.emit(told)
        return
    gone = f"; {len(told.unknown)} are not published any more" if told.unknown else ""
    console.say(f"{told.recorded} arenas say how often they were solved{gone}. See `astra arena difficulty`.")


@command(app)
async def ls(trainer: ApiClient, as_json: Json = False) -> None:
    """The evaluations.

    Example: astra eval ls
    """
    found = await listing(trainer, "/evaluations", Evaluation)
    if as_json:
        console.emit_all(found)
        return
    rows = [
        (e.id, e.request.policy, e.request.split, e.status, f"{e.result.f1:.3f}" if e.result else "") for e in found
    ]
    empty = "No evaluations. Begin with `astra eval run base:scratch`."
    console.table("Evaluations", ("id", "policy", "split", "state", "F1"), rows, empty=empty)


@command(app)
async def show(
    trainer: ApiClient,
    evaluation: Annotated[str, typer.Argument(metavar="EVALUATION", help="Id of the evaluation.")],
    as_json: Json = False,
) -> None:
    """One evaluation.

    Example: astra eval show ev_0123456789abcdef0123456789abcdef
    """
    _show(await trainer.get(f"/evaluations/{evaluation}", Evaluation), as_json)


def _show(evaluation: Evaluation, as_json: bool) -> None:
    if as_json:
        console.emit(evaluation)
        return
    console.say(f"{evaluation.id} · {evaluation.request.policy} · {evaluation.status} {evaluation.detail}")
    if result := evaluation.result:
        spread = f"± {result.f1_std:.3f} over arenas, ± {result.f1_seed_std:.3f} over seeds"
        per = "none solved" if result.calls_per_solved is None else f"{result.calls_per_solved:.2f}"
        rows = [
            ("mean F1", f"{result.f1:.3f} {spread}"),
            ("sub-tasks solved", f"{result.solved:.1%}"),
            ("calls per solved", per),
            ("episodes", f"{result.episodes} ({result.infra_failures} lost to failures of ours, left out)"),
        ]
        console.table("", ("measure", "value"), rows)
    return None
