"""Trying again, told by what went wrong: bounded, and every try kept."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from astra_proto.base import Record
from pydantic import BaseModel

from astra_synth_worker.jobs.context import Refused

Made = TypeVar("Made")


class Try(Record):
    """One draft that was not good, and why."""

    step: str
    """What was drafted: ``question``, ``document``, ``call``, ``code``, ``check``."""
    reason: str
    detail: str


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

    Raises :class:`Refused` with the last reason when every try was rejected.
    """
    rejected: list[Try] = []
    for number in range(tries):
        try:
            return await draft(number, earlier), rejected
        except Rejected as error:
            rejected.append(Try(step=step, reason=error.reason, detail=error.detail[:2_000]))
            shown = error.draft.model_dump_json() if error.draft is not None else ""
            earlier = Earlier(draft=shown[:8_000], problem=f"{error.reason}: {error.detail[:2_000]}")
    last = rejected[-1]
    history = ", ".join(each.reason for each in rejected)
    raise Refused(last.reason, f"{step}: {last.detail} (tries: {history})")
