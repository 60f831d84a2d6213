"""Tool names made unique: what two sub-questions need alike becomes one tool (paper §3.2.4), what is not is renamed.

Two tools of one name and one signature would leave an agent to guess which of them knows about its case. Members are
put in one by one, and all calls of the tool are run again after each.
"""

from astra_proto.arenas import ArenaTool, GoldenCall
from astra_proto.traces import QATrace
from astra_service.client import ApiClient

from astra_synth_worker.arenas.code import renamed
from astra_synth_worker.arenas.part import TOOL_CLASH, Part, Refusal
from astra_synth_worker.arenas.sandbox import run_parts


async def merged(env_server: ApiClient, trace: QATrace, parts: list[Part]) -> tuple[list[Part], list[Refusal]]:
    """The parts with every tool name unique, and those that could be neither merged nor renamed.

    Equal tools become one. Of two that take the same arguments, the one whose code gives the answers of all is taken
    for all; where neither does, the later part is to be drafted anew as one tool for all. Others are renamed.
    """
    done: list[Part] = []
    refused: list[Refusal] = []
    for part in sorted(parts, key=lambda p: p.id):
        members = [other for other in done if other.tool.name == part.tool.name]
        if not members or members[0].tool == part.tool:
            done.append(part)
        elif _takes(members[0].tool) != _takes(part.tool):
            other = _renamed(part, {other.tool.name: other.tool for other in done})
            done += [other] if other else []
            refused += [] if other else [_clash(part)]
        else:
            together = await _together(env_server, trace, [*members, part])
            if together is None:
                refused.append(_unmergeable(trace, members, part))
            else:
                done = [other for other in done if other not in members] + together
    return sorted(done, key=lambda p: p.id), refused


async def _together(env_server: ApiClient, trace: QATrace, members: list[Part]) -> list[Part] | None:
    """The members with the first or the last one's tool for all, if its code gives every answer."""
    for tool in (members[0].tool, members[-1].tool):
        attempt = [member.model_copy(update={"tool": tool}) for member in members]
        if not await run_parts(env_server, trace, attempt):
            return attempt
    return None


def _renamed(part: Part, taken: dict[str, ArenaTool]) -> Part | None:
    """The part with its tool under the first free name, or that of its equal; None if its code does not allow it."""
    number, name, tool = 1, part.tool.name, part.tool
    while name in taken and taken[name] != tool:
        number += 1
        name = f"{part.tool.name}_{number}"
        code = renamed(part.tool.code, part.tool.name, name)
        if code is None:
            return None
        tool = part.tool.model_copy(update={"name": name, "code": code})
    return part.model_copy(update={"tool": tool, "call": GoldenCall(name=name, arguments=part.call.arguments)})


def _takes(tool: ArenaTool) -> dict[str, object]:
    return {name: field.get("type") for name, field in tool.parameters["properties"].items()}


def _clash(part: Part) -> Refusal:
    detail = f"the name {part.tool.name!r} is that of another tool of this arena: choose another"
    return Refusal(part=part, reason="name_clash", detail=detail, keeps_document=False)


def _unmergeable(trace: QATrace, members: list[Part], part: Part) -> Refusal:
    answers = {sub.id: sub.answer for sub in trace.subquestions}
    calls = "\n".join(f"{member.call.arguments} -> {answers[member.id]!r}" for member in members)
    detail = (
        f"there is a tool {part.tool.name!r} with these parameters already, and one agent cannot tell two of them "
        f"apart. Extend its code, which follows, so that it answers this question too; it must still give\n{calls}\n"
        f"{members[0].tool.code}"
    )
    return Refusal(part=part, reason=TOOL_CLASH, detail=detail)
