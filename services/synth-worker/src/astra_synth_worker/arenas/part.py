"""One sub-question made into a tool: document, golden call, code, each drafted until nothing is wrong with it."""

from typing import Any

from astra_proto.arenas import ArenaTool, GoldenCall
from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace, SubQuestion
from pydantic import JsonValue

from astra_synth_worker.arenas.call import CallReply, accept_call
from astra_synth_worker.arenas.code import CodeReply, accept_code
from astra_synth_worker.arenas.document import DocumentReply, accept_document
from astra_synth_worker.arenas.question import origin
from astra_synth_worker.arenas.tries import Earlier, Try, until_good
from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import ask
from astra_synth_worker.llm.base import Prompt

TOOL_CLASH = "tool_clash"
"""Reason of a part whose tool must become one with another's."""


class Part(Record):
    """What one sub-question became: a tool, and the call of it that gives the answer."""

    id: int
    tool: ArenaTool
    call: GoldenCall
    tries: list[Try] = []
    """What was drafted before and refused, by a look at it or when it was run."""


class Refusal(Record):
    """A part that did not hold when it was run."""

    part: Part
    reason: str
    detail: str
    keeps_document: bool = True
    """Whether the fault lies in the code or the call, so that the document may stand."""

    def earlier(self) -> Earlier:
        """What the next draft is told."""
        draft = self.part.model_dump_json(include={"tool", "call"})
        return Earlier(draft=draft[:8_000], problem=f"{self.reason}: {self.detail[:8_000]}")


class Assignment(Record):
    """A sub-question to be made into a tool, and what was made of it before."""

    origin: dict[str, JsonValue]
    sub: SubQuestion
    known: list[dict[str, JsonValue]]
    """Question and answer of each sub-question it depends on."""
    round: int = 1
    refused: Refusal | None = None


def assignment(job: ArenaJob, trace: QATrace, sub: SubQuestion) -> Assignment:
    """What there is to know for making a sub-question into a tool."""
    facts: dict[int, dict[str, JsonValue]] = {
        s.id: {"question": s.question, "answer": s.answer} for s in trace.subquestions
    }
    return Assignment(origin=origin(job), sub=sub, known=[facts[d] for d in sub.depends_on])


async def draft_part(given: Assignment, context: Context) -> Part:
    """The part of a sub-question.

    One that was refused keeps its document in the next round, unless that was the fault, and is thought up anew in
    later ones, save where it has to become one with another.
    Raises :class:`Refused` when a draft was not good however often it was tried.
    """
    drafts = _Drafts(given, context)
    refused = given.refused
    if refused is not None and refused.keeps_document and (given.round == 2 or refused.reason == TOOL_CLASH):
        document = DocumentReply.model_validate(refused.part.tool.model_dump())
    else:
        document = await drafts.document()
    call = await drafts.call(document)
    code = await drafts.code(document, call)
    tool = ArenaTool(name=document.name, description=document.description, parameters=document.parameters, code=code)
    before = (
        [*refused.part.tries, Try(step="check", reason=refused.reason, detail=refused.detail[:2_000])]
        if refused
        else []
    )
    return Part(id=given.sub.id, tool=tool, call=call, tries=[*before, *drafts.tries])


class _Drafts:
    """The three drafts of one part, and what was refused among them."""

    def __init__(self, given: Assignment, context: Context) -> None:
        self._given, self._context, self._count = given, context, context.settings.draft_tries
        self._answer = given.sub.answer
        self._earlier = given.refused.earlier() if given.refused else None
        self.tries: list[Try] = []

    async def document(self) -> DocumentReply:
        async def draft(number: int, before: Earlier | None) -> DocumentReply:
            return accept_document(await self._ask("tool_document", number, before, DocumentReply), [self._answer])

        made, refused = await until_good("document", self._count, draft, self._earlier)
        self.tries += refused
        return made

    async def call(self, document: DocumentReply) -> GoldenCall:
        shown = document.model_dump()

        async def draft(number: int, before: Earlier | None) -> GoldenCall:
            reply = await self._ask("tool_call", number, before, CallReply, tool=shown)
            return accept_call(reply, document, self._answer)

        made, refused = await until_good("call", self._count, draft, self._earlier)
        self.tries += refused
        return made

    async def code(self, document: DocumentReply, call: GoldenCall) -> str:
        more = {"tool": document.model_dump(), "arguments": call.arguments, "answer": self._answer}

        async def draft(number: int, before: Earlier | None) -> str:
            reply = await self._ask("tool_code", number, before, CodeReply, **more)
            return accept_code(reply, document, [self._answer])

        made, refused = await until_good("code", self._count, draft, self._earlier)
        self.tries += refused
        return made

    async def _ask(self, name: str, number: int, earlier: Earlier | None, reply: type[Any], **more: Any) -> Any:
        given = self._given
        about = {**given.origin, "id": given.sub.id, "question": given.sub.question, "known": given.known}
        seed = int(str(given.origin["seed"])) + 1_000 * given.round + number
        prompt = Prompt(name, {**about, **more, "earlier": earlier}, seed=seed)
        return await ask(self._context.llm, prompt, reply, self._context.usage)
