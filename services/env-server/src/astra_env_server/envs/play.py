"""Taking one step: every call of the action in order, then what it earned and whether it was the last."""

from astra_proto.envs import ErrorClass, RewardMode, StepEnv

from astra_env_server.envs.episode import Episode, Lost, Result
from astra_env_server.envs.replies import Reason, Step
from astra_env_server.envs.repository import EnvRow
from astra_env_server.scoring.f1 import Tally


async def play(episode: Episode, row: EnvRow, request: StepEnv, action: bytes, call_timeout_s: float) -> Step:
    """The step, taken. Raises SandboxFull if it could not be; the caller then undoes what was done of it."""
    before = episode.tally
    calls = request.action.tool_calls
    results: list[Result] = []
    timeout_s = min(request.timeout_s or call_timeout_s, call_timeout_s)
    lost = False
    for call in calls:
        if not lost:
            try:
                results.append(await episode.call(call, timeout_s))
                continue
            except Lost as error:
                lost = True
                why = f"error: the environment failed, the episode is over: {error}"
        episode.count_lost(call)
        results.append(Result(call.name, why, ErrorClass.INFRA))
    answered = not calls and request.action.content is not None
    if answered:
        episode.answer(request.action.content or "")
    index = row.steps + 1
    reason = _reason(episode, lost=lost, answered=answered, out_of_steps=index >= row.max_steps)
    return Step(
        index=index,
        step_id=request.step_id,
        action=action,
        call_ids=[call.id or f"call_{before.calls + n}" for n, call in enumerate(calls, start=1)],
        results=results,
        reward=pay(row.reward_mode, row.score, before, episode.tally, over=reason is not None),
        reason=reason,
        tally=episode.tally,
    )


def pay(reward_mode: str, score: str, before: Tally, after: Tally, *, over: bool) -> float:
    """The reward of a step that took an episode from one tally to the next."""
    if reward_mode == RewardMode.TERMINAL:
        return after.score(score) if over else 0.0
    return after.score(score) - before.score(score)


def _reason(episode: Episode, *, lost: bool, answered: bool, out_of_steps: bool) -> Reason | None:
    if lost:
        return "infra"
    if episode.tally.complete:
        return "solved"
    if answered:
        return "answered"
    return "max_steps" if out_of_steps else None
