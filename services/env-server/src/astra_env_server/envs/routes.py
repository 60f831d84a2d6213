"""Playing: create, reset, step, look, delete."""

from typing import Annotated

from astra_proto.access import Role
from astra_proto.envs import BatchStep, CreateEnv, EnvStatus, EnvView, ForkEnv, RegradeEnv, ResetEnv, StepEnv
from astra_proto.episodes import BatchReply, EpisodeView, PlayedEpisode, RegradeReply, ResetReply, StepReply
from astra_proto.errors import ErrorBody
from astra_proto.ids import ArenaId, EnvId
from astra_proto.pages import Page
from astra_proto.tiers import Capacity
from astra_service.cursors import Cursor, Limit
from fastapi import APIRouter, Query, Response

from astra_env_server.access.caller import current
from astra_env_server.envs.batch import step_all
from astra_env_server.resources import Here

router = APIRouter(tags=["envs"])

_OVER = {"model": ErrorBody, "description": "The episode is over or not begun, or the step_id names another action."}
_EXPIRED = {"model": ErrorBody, "description": "The env has expired."}
_LOST = {"model": ErrorBody, "description": "What this server asked for it answered wrongly or broke off."}
_FULL = {"model": ErrorBody, "description": "No room; try again after Retry-After seconds."}

# What a request without a body asks for.
_RESET, _FORK, _REGRADE = ResetEnv(), ForkEnv(), RegradeEnv()

OfStatus = Annotated[EnvStatus | None, Query(description="Only envs of this status.")]
OfArena = Annotated[ArenaId | None, Query(description="Only envs of this arena.")]


@router.post(
    "/envs", status_code=201, response_model=EnvView, responses={429: _FULL, 502: _LOST}, summary="Create an env"
)
async def create_env(request: CreateEnv, here: Here) -> EnvView:
    """A live instance of an arena. Reset it to begin."""
    return await here.envs.create(request)


@router.get("/envs", response_model=Page[EnvView], summary="List envs")
async def list_envs(
    here: Here, status: OfStatus = None, arena_id: OfArena = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[EnvView]:
    """Envs by id, as far as they are there for the caller: an agent's own, a tenant's, for an admin all.

    To look does not prolong their life. Keep the filters when you go on with a cursor.
    """
    return await here.envs.page(status, arena_id, cursor, limit)


@router.get("/envs/{env_id}", response_model=EnvView, summary="Look at an env")
async def get_env(env_id: EnvId, here: Here) -> EnvView:
    """The env as it stands; to look does not prolong its life."""
    return await here.envs.view(env_id)


@router.delete("/envs/{env_id}", status_code=204, summary="Delete an env")
async def delete_env(env_id: EnvId, here: Here) -> None:
    """End the env, its processes and its log."""
    await here.envs.delete(env_id)


@router.post(
    "/envs/{env_id}/reset",
    response_model=ResetReply,
    responses={409: _OVER, 410: _EXPIRED, 429: _FULL},
    summary="Begin an episode",
)
async def reset_env(env_id: EnvId, here: Here, request: ResetEnv = _RESET) -> Response:
    """Close the episode so far and begin a new one: the observation has the prompt and the tools."""
    return _json(await here.envs.reset(env_id, request))


@router.post(
    "/envs/{env_id}/step",
    response_model=StepReply,
    responses={409: _OVER, 410: _EXPIRED, 429: _FULL, 502: _LOST},
    summary="Take a step",
)
async def step_env(env_id: EnvId, request: StepEnv, here: Here) -> Response:
    """Call tools, or answer. What a tool or its arguments do wrong is an observation, not an HTTP error.

    With a `step_id` the step is taken exactly once: sent again it returns the stored reply and runs nothing.
    """
    return _json(await here.envs.step(env_id, request))


@router.post("/batch/step", response_model=BatchReply, summary="Take a step in each of many envs")
async def batch_step(request: BatchStep, here: Here) -> Response:
    """Steps of different envs are taken at the same time, those of one env in order.

    Each has a result or an error of its own: what is wrong with one does not touch the others.
    """
    return _json(await step_all(here.envs, request.steps))


@router.post(
    "/envs/{env_id}/fork",
    status_code=201,
    response_model=EnvView,
    responses={409: _OVER, 410: _EXPIRED, 429: _FULL, 502: _LOST},
    summary="Fork an env",
)
async def fork_env(env_id: EnvId, here: Here, request: ForkEnv = _FORK) -> EnvView:
    """A new env that has the first steps of this one's episode behind it, and goes its own way from there.

    Its tools are in the state in which those steps left them. It knows their `step_id`s.
    """
    return await here.envs.fork(env_id, request)


@router.post("/envs/{env_id}/regrade", response_model=RegradeReply, summary="Score the episode anew")
async def regrade_env(env_id: EnvId, here: Here, request: RegradeEnv = _REGRADE) -> RegradeReply:
    """The present episode, scored from its log by the rules of today or those of the request.

    Nothing is run, nothing is changed.
    """
    return await here.envs.regrade(env_id, request)


@router.get("/envs/{env_id}/trajectory", response_model=EpisodeView | PlayedEpisode, summary="Get the episode whole")
async def get_trajectory(env_id: EnvId, here: Here) -> EpisodeView | PlayedEpisode:
    """The present episode: as a conversation, and step by step with rewards.

    A key of role `agent` gets it as it was shown to the agent, without the seed and how each step was judged.
    """
    whole = await here.envs.trajectory(env_id)
    return PlayedEpisode.model_validate(whole.model_dump()) if current().role is Role.AGENT else whole


@router.get("/capacity", response_model=Capacity, summary="How much room is there?")
async def get_capacity(here: Here) -> Capacity:
    """The isolation in force, envs and runners in use, and how many there may be."""
    return await here.envs.capacity()


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
