"""Playing an episode in a terminal: by an arena's golden calls, or by the person who sits there."""

import asyncio
import json
import shlex

from astra_proto.arenas import Arena
from astra_proto.envs import Action, Call, CreateEnv, EnvView, ResetEnv, StepEnv
from astra_proto.episodes import EpisodeView, Observation, ResetReply, StepReply
from astra_proto.errors import AstraError
from astra_proto.messages import ToolMessage, UserMessage
from astra_service.client import ApiClient
from pydantic import JsonValue, ValidationError

from astra import console

MANUAL = """Type one action a line:
  TOOL name=value other=3     call a tool; values are JSON where they can be, else text
  TOOL {"name": "value"}      the same, arguments as a JSON object
  answer TEXT                 say the final answer, which ends the episode
  tools                       show the tools with their arguments
  help, quit                  show this, leave"""


async def play(envs: ApiClient, asked: CreateEnv, *, golden: bool, as_json: bool) -> None:
    """One episode of an arena, from a new env to its end. With ``as_json`` its log is printed and nothing else."""
    # Read first: whoever may not see the golden calls has made no env then.
    whole = await envs.get(f"/arenas/{asked.arena_id}/full", Arena) if golden else None
    env = await envs.post("/envs", asked, EnvView)
    try:
        start = await envs.post(f"/envs/{env.id}/reset", ResetEnv(), ResetReply)
        if not as_json:
            _show(start.observation)
        await (_golden(envs, env, whole, as_json) if whole else _by_hand(envs, env, start.observation))
        if as_json:
            console.emit(await envs.get(f"/envs/{env.id}/trajectory", EpisodeView))
    finally:
        await asyncio.shield(envs.delete(f"/envs/{env.id}"))


async def _golden(envs: ApiClient, env: EnvView, arena: Arena, quiet: bool) -> None:
    for number, task in enumerate(arena.spec.subtasks, start=1):
        call = Call(name=task.golden_call.name, arguments=task.golden_call.arguments)
        if not quiet:
            needs = f", needs {', '.join(map(str, task.depends_on))}" if task.depends_on else ""
            console.say(f"\nStep {number}: sub-task {task.id}{needs}: {task.question}", "bold")
            console.say(f"> {call.name} {json.dumps(call.arguments, ensure_ascii=False)}")
        over = await _step(envs, env, Action(tool_calls=[call]), quiet)
        if arena.spec.state is not None and not quiet:
            await _changes(envs, env)
        if over:
            return


async def _changes(envs: ApiClient, env: EnvView) -> None:
    """What the last step changed of the state. It is in no observation; who may see answers gets it with the log."""
    episode = await envs.get(f"/envs/{env.id}/trajectory", EpisodeView)
    for change in (change for call in episode.steps[-1].changes or [] for change in call or []):
        value = "" if change.op == "remove" else f" {json.dumps(change.value, ensure_ascii=False)}"
        console.say(f"state: {change.op} {change.path}{value}", "magenta")


async def _by_hand(envs: ApiClient, env: EnvView, start: Observation) -> None:
    console.say(f"\n{MANUAL}\n", "dim")
    while True:
        try:
            line = (await asyncio.to_thread(input, "> ")).strip()
        except EOFError:
            return
        if line in ("quit", "exit"):
            return
        if line == "tools":
            _show(start)
        elif line in ("help", "?"):
            console.say(MANUAL, "dim")
        elif line:
            try:
                action = parse(line)
            except (ValueError, ValidationError) as error:
                console.say(f"not understood: {error}\n{MANUAL}", "yellow")
                continue
            if await _step(envs, env, action, quiet=False):
                return


def parse(line: str) -> Action:
    """What a person typed, as an action. Raises ValueError if it cannot be read."""
    name, _, rest = line.partition(" ")
    rest = rest.strip()
    if name == "answer":
        return Action(content=rest)
    if rest.startswith("{"):
        return Action(tool_calls=[Call(name=name, arguments=json.loads(rest))])
    arguments: dict[str, JsonValue] = {}
    for word in shlex.split(rest):
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not of the form name=value")
        try:
            arguments[key] = json.loads(value)
        except ValueError:
            arguments[key] = value
    return Action(tool_calls=[Call(name=name, arguments=arguments)])


async def _step(envs: ApiClient, env: EnvView, action: Action, quiet: bool) -> bool:
    reply = await envs.post(f"/envs/{env.id}/step", StepEnv(action=action), StepReply)
    if not reply.info.reward_valid:
        raise AstraError("the environment server lost the episode's runner, so its reward means nothing: play again.")
    if not quiet:
        _show(reply.observation)
        info = reply.info
        console.say(
            f"reward {reply.reward:+.3f} · F1 {info.f1:.3f} · solved {len(info.solved)}/{info.subtasks} · "
            f"{info.calls} calls",
            "cyan",
        )
        if reply.done:
            console.say(f"The episode is over: {info.reason}.", "bold")
    return reply.done


def _show(observation: Observation) -> None:
    for message in observation.messages:
        if isinstance(message, UserMessage):
            console.say(message.content)
        elif isinstance(message, ToolMessage):
            console.say(f"{message.name}: {message.content}", "green")
    rows = []
    for tool in observation.tools or []:
        arguments = tool.function.parameters.get("properties", {})
        rows.append((tool.function.name, ", ".join(arguments), tool.function.description))
    if rows:
        console.table("\nTools", ("tool", "arguments", "does"), rows)
