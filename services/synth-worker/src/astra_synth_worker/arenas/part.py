"""One sub-question made into a tool: document, richer document, golden call, code (paper §3.2.3)."""

from typing import Any

from astra_proto.arenas import ArenaTool, GoldenCall
from astra_proto.base import Record
from astra_proto.jobs import ArenaJob
from astra_proto.traces import QATrace, SubQuestion
from pydantic import JsonValue

from astra_synth_worker.arenas.call import CallReply, accept_call
from astra_synth_worker.arenas.code import STATE, CodeReply, accept_code
from astra_synth_worker.arenas.document import DocumentReply, accept_document, accept_scaled
from astra_synth_worker.arenas.question import origin
from astra_synth_worker.arenas.tries import Earlier, Failure, GivenUp, Rejected, Try, until_good
from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import ask
from astra_synth_worker.llm.base import STAGE_USAGE, Prompt


class Part(Record):
    """What one sub-question became: a tool, and the call of it that gives the answer."""

    id: int
    tool: ArenaTool
    call: GoldenCall
    tries: list[Try] = []
    """What was drafted before and refused, by a look at it or when it was run."""
    llm_calls: int = 0
    """Calls to the model that its drafts have cost, those of earlier rounds included."""


class Drafted(Record):
    """A part, or why there is none."""

    part: Part | None = None
    failure: Failure | None = None

    def tries(self) -> list[Try]:
        """What was refused, whether there is a part in the end or not."""
        return [*(self.part.tries if self.part else ()), *(self.failure.tries if self.failure else ())]


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

    def as_try(self) -> Try:
        """What is kept of it."""
        return Try(step="check", reason=self.reason, detail=self.detail[:2_000], draft=self.earlier().draft)


class Assignment(Record):
    """A sub-question to be made into a tool, and what was made of it before."""

    origin: dict[str, JsonValue]
    sub: SubQuestion
    known: list[dict[str, JsonValue]]
    """Question and answer of each sub-question it depends on."""
    state: dict[str, JsonValue] | None = None
    round: int = 1
    refused: Refusal | None = None


def known_to(trace: QATrace, sub: SubQuestion) -> list[dict[str, JsonValue]]:
    """Question and answer of each sub-question that ``sub`` depends on."""
    facts: dict[int, dict[str, JsonValue]] = {
        s.id: {"question": s.question, "answer": s.answer} for s in trace.subquestions
    }
    return [facts[d] for d in sub.depends_on]


def assignment(job: ArenaJob, trace: QATrace, sub: SubQuestion) -> Assignment:
    """What there is to know for making a sub-question into a tool."""
    return Assignment(origin=origin(job), sub=sub, known=known_to(trace, sub), state=trace.state)


async def draft_part(given: Assignment, context: Context) -> Drafted:
    """The part of a sub-question, or why none came of it within its tries and its budget.

    One that was refused keeps its document in the next round, unless that was the fault, and is thought up anew in
    later ones.
    """
    drafts = _Drafts(given, context)
    refused = given.refused
    before = [*refused.part.tries, refused.as_try()] if refused else []
    spent = refused.part.llm_calls if refused else 0
    account = STAGE_USAGE.get()
    if account is not None:
        account.max_calls = max(0, context.settings.part_llm_calls - spent)
    try:
        if refused is not None and refused.keeps_document and given.round == 2:
            document = DocumentReply.model_validate(refused.part.tool.model_dump())
        else:
            document = await drafts.scaled(await drafts.document())
        call = await drafts.call(document)
        code = await drafts.code(document, call)
    except GivenUp as error:
        tries = [*before, *drafts.tries, *error.failure.tries]
        return Drafted(failure=error.failure.model_copy(update={"tries": tries}))
    tool = ArenaTool(name=document.name, description=document.description, parameters=document.parameters, code=code)
    spent += account.calls if account is not None else 0
    return Drafted(part=Part(id=given.sub.id, tool=tool, call=call, tries=[*before, *drafts.tries], llm_calls=spent))


class _Drafts:
    """The drafts of one part, and what was refused among them."""

    def __init__(self, given: Assignment, context: Context) -> None:
        self._given, self._context, self._count = given, context, context.settings.draft_tries
        # What a change brings about may be said by the user, and so by the tool that does it.
        self._secrets = [given.sub.answer] if given.sub.state_path is None else []
        self._earlier = given.refused.earlier() if given.refused else None
        self.tries: list[Try] = []

    async def document(self) -> DocumentReply:
        async def draft(number: int, before: Earlier | None) -> DocumentReply:
            reply = await self._ask("tool_document", number, before, DocumentReply)
            return self._without_state(accept_document(reply, self._secrets))

        made, refused = await until_good("document", self._count, draft, self._earlier)
        self.tries += refused
        return made

    async def scaled(self, plain: DocumentReply) -> DocumentReply:
        """The richer document, or the plain one where none that is fit was written: it is right as it is."""
        if not self._context.settings.scale_documents:
            return plain

        async def draft(number: int, before: Earlier | None) -> DocumentReply:
            reply = await self._ask("tool_scale", number, before, DocumentReply, tool=plain.model_dump())
            return self._without_state(accept_scaled(reply, plain, self._secrets))

        try:
            made, refused = await until_good("scaled_document", self._count, draft, self._earlier)
        except GivenUp as error:
            made, refused = plain, error.failure.tries
        self.tries += refused
        return made

    async def call(self, document: DocumentReply) -> GoldenCall:
        shown = document.model_dump()

        async def draft(number: int, before: Earlier | None) -> GoldenCall:
            reply = await self._ask("tool_call", number, before, CallReply, tool=shown)
            return accept_call(reply, document, self._given.sub.answer, changes=not self._secrets)

        made, refused = await until_good("call", self._count, draft, self._earlier)
        self.tries += refused
        return made

    async def code(self, document: DocumentReply, call: GoldenCall) -> str:
        more = {"tool": document.model_dump(), "arguments": call.arguments}
        stateful = self._given.state is not None

        async def draft(number: int, before: Earlier | None) -> str:
            reply = await self._ask("tool_code", number, before, CodeReply, **more)
            return accept_code(reply, document, self._secrets, stateful)

        made, refused = await until_good("code", self._count, draft, self._earlier)
        self.tries += refused
        return made

    def _without_state(self, document: DocumentReply) -> DocumentReply:
        if self._given.state is not None and STATE in document.parameters["properties"]:
            raise Rejected("bad_schema", f"parameters: `{STATE}` is given by the system, leave it out", document)
        return document

    async def _ask(self, name: str, number: int, earlier: Earlier | None, reply: type[Any], **more: Any) -> Any:
        given = self._given
        about = {
            **given.origin,
            "id": given.sub.id,
            "question": given.sub.question,
            "known": given.known,
            "answer": given.sub.answer,
            "state": given.state,
            "state_path": given.sub.state_path,
        }
        seed = int(str(given.origin["seed"])) + 1_000 * given.round + number
        prompt = Prompt(name, {**about, **more, "earlier": earlier}, seed=seed)
        return await ask(self._context.llm, prompt, reply, self._context.usage)
