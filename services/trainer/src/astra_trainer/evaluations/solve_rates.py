"""Tells the catalogue of arenas what an evaluation measured, so that each arena says how hard it was found to be."""

from astra_proto.errors import Conflict
from astra_proto.runs import CreateEvaluation, EvaluationResult
from astra_proto.solve_rates import RecordedSolveRates, RecordSolveRates

from astra_trainer.models import WorkRow
from astra_trainer.state import State
from astra_trainer.work import repository
from astra_trainer.work.folder import BASE_SCRATCH

_ID_CHARS = 8


async def record(
    state: State, evaluation_id: str, request: CreateEvaluation, result: EvaluationResult
) -> RecordedSolveRates:
    """Send what was reached in each arena to the env-server. Raises Conflict where the result does not tell, and what
    the env-server answers.
    """
    measured = result.measured()
    if not measured:
        raise Conflict("the result is of a version that did not tell which episodes were solved: evaluate once more")
    async with state.db.session() as session:
        run = None if request.policy == BASE_SCRATCH else await repository.find(session, request.policy)
    told = RecordSolveRates(policy=policy_name(request, run), source=evaluation_id, arenas=measured)
    return await state.envs.post("/solve-rates", told, RecordedSolveRates, repeatable=True)


def policy_name(request: CreateEvaluation, run: WorkRow | None) -> str:
    """What was asked for, or the kind and the id of the run; other ways of asking the same policy have other names."""
    if request.name is not None:
        return request.name
    name = request.policy if run is None else f"{run.request['kind']}:{run.id.removeprefix('run_')[:_ID_CHARS]}"
    greedy = " greedy" if request.temperature == 0 else ""
    distractors = f" +{request.distractors.total}" if request.distractors.total else ""
    return f"{name}{greedy}{distractors}"
