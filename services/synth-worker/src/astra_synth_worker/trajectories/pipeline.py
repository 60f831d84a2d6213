"""Pipeline A, stage by stage: task, rollout, score, filter."""

from astra_proto.errors import NotFound
from astra_proto.ids import content_id
from astra_proto.jobs import TrajectoryJob
from astra_proto.tools import ToolServer
from astra_proto.trajectories import Task, Trajectory, TrajectoryScore

from astra_synth_worker.jobs.context import Context, Outcome, Refused
from astra_synth_worker.trajectories.filter import UNSCORED, refusal, unfit
from astra_synth_worker.trajectories.rollout import Rollout, roll_out, tool_specs
from astra_synth_worker.trajectories.score import score_rollout
from astra_synth_worker.trajectories.task import write_task


async def make_trajectory(job: TrajectoryJob, context: Context) -> Outcome:
    """One trajectory. Raises :class:`Refused`, with the trajectory as far as there is one, when it is not kept."""
    try:
        server = await context.registry.get(f"/servers/{job.server_id}", ToolServer)
    except NotFound:
        raise Refused("unknown_server", f"the tool-registry has no server {job.server_id!r}") from None
    chain, seed = list(job.chain), job.seed
    tools = [tool.model_dump(mode="json") for tool in server.tools]

    task = await context.stage(
        "task", {"tools": tools, "chain": chain, "seed": seed}, lambda: write_task(server, chain, seed, context), Task
    )
    rollout = await context.stage(
        "rollout",
        {"tools": tools, "task": task, "seed": seed, "launch": server.launch},
        lambda: roll_out(task, server, seed, context),
        Rollout,
    )
    score, reason = UNSCORED, unfit(rollout)
    if not reason:
        score = await context.stage(
            "score",
            {"tools": tools, "task": task, "rollout": rollout},
            lambda: score_rollout(task, server, rollout, context),
            TrajectoryScore,
        )
        reason = refusal(score, context.settings)
    content = {
        "task": task.model_dump(mode="json"),
        "tools": [spec.model_dump(mode="json") for spec in tool_specs(server)],
        "messages": [message.model_dump(mode="json") for message in rollout.messages],
    }
    trajectory = Trajectory(
        id=content_id("tr", content),
        task=task,
        tools=tool_specs(server),
        messages=rollout.messages,
        score=score,
        kept=not reason,
        reason=reason,
        teacher=context.llm.name,
    )
    if reason:
        raise Refused(reason, f"scores: {score.model_dump_json()}", trajectory=trajectory)
    return Outcome({"trajectory_id": trajectory.id}, trajectory)
