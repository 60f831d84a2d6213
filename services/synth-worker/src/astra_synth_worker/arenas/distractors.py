"""Tools that work and solve nothing, offered beside the ones that do (paper §3.3.2)."""

from typing import Any

from astra_proto.arenas import ArenaTool
from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace
from pydantic import BaseModel, ConfigDict, ValidationError

from astra_synth_worker.arenas.code import CodeReply, accept_code
from astra_synth_worker.arenas.document import DocumentReply, accept_document
from astra_synth_worker.arenas.part import Part
from astra_synth_worker.arenas.question import origin
from astra_synth_worker.arenas.tries import Rejected, Try, unread
from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import MalformedReply, ask
from astra_synth_worker.llm.base import Prompt


class ToolReply(BaseModel):
    """A whole tool as the model wrote it."""

    model_config = ConfigDict(extra="ignore")

    name: str
    description: str
    parameters: dict[str, Any]
    code: str


class DistractorsReply(BaseModel):
    """Some of them."""

    model_config = ConfigDict(extra="ignore")

    tools: list[ToolReply]


class Distractors(Record):
    """Those that are fit, and why others were not."""

    tools: list[ArenaTool]
    tries: list[Try]


async def draw_distractors(job: ArenaJob, context: Context, trace: QATrace, parts: list[Part]) -> Distractors:
    """As many distractors as the settings allow; fewer where the model's are not fit, for an arena can do without."""
    count = context.settings.distractors
    variables = {
        **origin(job),
        "question": trace.question,
        "count": count,
        "tools": [part.tool.model_dump(include={"name", "description", "parameters"}) for part in parts],
    }
    try:
        reply = await ask(context.llm, Prompt("distractors", variables, seed=job.seed), DistractorsReply, context.usage)
    except MalformedReply as error:
        return Distractors(tools=[], tries=[unread("distractors", error)])
    taken = {part.tool.name for part in parts}
    answers = [sub.answer for sub in trace.subquestions if sub.needs_tool]
    tools: list[ArenaTool] = []
    tries: list[Try] = []
    for each in reply.tools[:count]:
        try:
            tool = _accept(each, answers, taken)
        except Rejected as error:
            tries.append(refused_distractor(each, error.reason, error.detail))
        else:
            tools.append(tool)
            taken.add(tool.name)
    return Distractors(tools=tools, tries=tries)


def refused_distractor(tool: BaseModel, reason: str, detail: str) -> Try:
    """What is kept of a tool that is no distractor."""
    return Try(step="distractors", reason=reason, detail=detail[:2_000], draft=tool.model_dump_json()[:8_000])


def _accept(reply: ToolReply, answers: list[Any], taken: set[str]) -> ArenaTool:
    document = DocumentReply.model_validate(reply.model_dump())
    if reply.name in taken:
        raise Rejected("name_taken", f"there is a tool {reply.name!r} already")
    accept_document(document, answers)
    code = accept_code(CodeReply(code=reply.code), document, answers)
    try:
        return ArenaTool.model_validate({**document.model_dump(), "code": code})
    except ValidationError as error:
        raise Rejected("bad_tool", str(error)) from None
