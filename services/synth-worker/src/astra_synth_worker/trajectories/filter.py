"""Which trajectories are fit to learn from (paper §3.1.5)."""

from astra_proto.trajectories import TrajectoryScore

from astra_synth_worker.settings import Settings
from astra_synth_worker.trajectories.rollout import Rollout, StopReason

UNSCORED = TrajectoryScore(
    query_understanding=None, query_planning=None, response_understanding=None, response_planning=None,
    call_status=None, conciseness=None, final_answer=None,
)  # fmt: skip


def unfit(rollout: Rollout) -> str:
    """Why the run is not worth a judge's time; empty if it is."""
    if rollout.stop is not StopReason.ANSWERED:
        return rollout.stop.value
    if not rollout.calls:
        return "no_tool_call"
    return "" if any(call.ok for call in rollout.calls) else "no_tool_result"


def refusal(score: TrajectoryScore, settings: Settings) -> str:
    """Why a scored run is not kept; empty if it is. No verdict is never a pass."""
    mean = score.mean()
    if mean is None or score.final_answer is None:
        return "unscored"
    if score.final_answer < settings.keep_final_answer:
        return "bad_final_answer"
    return "low_score" if mean < settings.keep_mean else ""
