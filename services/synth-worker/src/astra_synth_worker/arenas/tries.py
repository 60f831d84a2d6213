"""Trying again, told by what went wrong: bounded, and every try kept."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from astra_proto.base import Record
from pydantic import BaseModel

from astra_synth_worker.jobs.context import Refused
from astra_synth_worker.llm.ask import MalformedReply
from astra_synth_worker.llm.base import BudgetSpent

Made = TypeVar("Made")

_SHOWN = 8_000
"""Characters of a refused draft that are kept and shown again."""


class Try(Record):
    """One draft that was not good, and why."""

    step: str
    """What was drafted: ``question``, ``document``, ``call``, ``code``; ``check`` for what was found when it ran."""
    reason: str
    detail: str
    draft: str = ""
    """The draft as JSON, or the text that was to be it."""


class Failure(Record):
    """A step given up: the last reason, and all that was tried."""

    reason: str
    detail: str
    tries: list[Try]

    def refusal(self) -> Refused:
        """The end of the job."""
        return Refused(self.reason, self.detail)


class GivenUp(Exception):
    """No draft was good, or none more may be asked for."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.reason}: {failure.detail}")


class Rejected(Exception):
    """A draft is not good; the next one is told so."""

    def __init__(self, reason: str, detail: str, draft: BaseModel | None = None) -> None:
        self.reason, self.detail, self.draft = reason, detail, draft
        super().__init__(f"{reason}: {detail}")


class Earlier(Record):
    """What a prompt is told of the try before it."""

    draft: str
    """The refused draft as JSON."""
    problem: str


async def until_good(
    step: str, tries: int, draft: Callable[[int, Earlier | None], Awaitable[Made]], earlier: Earlier | None = None
) -> tuple[Made, list[Try]]:
    """Draft until nothing is wrong, at most ``tries`` times; ``draft`` gets the number of the try and the one before;
    with what comes out come the tries that were refused on the way.

    Raises :class:`GivenUp` when every try was rejected, the model cannot be understood, or the budget is spent.
    """
    rejected: list[Try] = []
    for number in range(tries):
        try:
            return await draft(number, earlier), rejected
        except Rejected as error:
            shown = error.draft.model_dump_json()[:_SHOWN] if error.draft is not None else ""
            rejected.append(Try(step=step, reason=error.reason, detail=error.detail[:2_000], draft=shown))
            earlier = Earlier(draft=shown, problem=f"{error.reason}: {error.detail[:2_000]}")
        except MalformedReply as error:
            rejected.append(unread(step, error))
            break
        except BudgetSpent as error:
            rejected.append(Try(step=step, reason="over_budget", detail=str(error)[:2_000]))
            break
    last = rejected[-1]
    history = ", ".join(each.reason for each in rejected)
    raise GivenUp(Failure(reason=last.reason, detail=f"{step}: {last.detail} (tries: {history})", tries=rejected))


def unread(step: str, error: MalformedReply) -> Try:
    """What is kept of replies that could not be read: the last of them."""
    return Try(step=step, reason="malformed_reply", detail=str(error)[:2_000], draft=error.reply[:_SHOWN])


def by_reason(tries: Iterable[Try]) -> dict[str, int]:
    """How many drafts were refused for what."""
    counted: dict[str, int] = {}
    for each in tries:
        counted[each.reason] = counted.get(each.reason, 0) + 1
    return dict(sorted(counted.items()))
