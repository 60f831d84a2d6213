"""What the soundness gate found, as work for the parts it is about."""

import re
from collections.abc import Collection

from astra_proto.arenas import ArenaTool
from astra_proto.errors import UnsoundArena
from astra_proto.soundness import Check, SoundnessReport
from pydantic import ValidationError

from astra_synth_worker.arenas.part import Part, Refusal

_OF_DOCUMENT = re.compile(r"leak|prompt|description|schema|name", re.IGNORECASE)
"""Checks that a new code cannot mend."""
_DISTRACTORS = "distractors"
"""The check of what distractors solve."""


def report_of(error: UnsoundArena) -> SoundnessReport:
    """The report in a refusal; one with a single failed check where there is none that can be read."""
    try:
        report = SoundnessReport.model_validate(error.extra.get("report"))
    except ValidationError:
        report = SoundnessReport(sound=False, oracle_reward=0.0, checks=[])
    if report.failures():
        return report
    unread = Check(name="soundness", passed=False, detail=error.detail)
    return report.model_copy(update={"checks": [*report.checks, unread]})


def blamed_distractors(report: SoundnessReport, distractors: list[ArenaTool]) -> dict[str, Check]:
    """Names of the distractors that failed checks speak of, and the first such check of each."""
    return {
        tool.name: check
        for tool in distractors
        for check in reversed(report.failures())
        if _speaks_of(check.detail, tool.name)
    }


def refusals(report: SoundnessReport, parts: list[Part], distractors: Collection[str]) -> list[Refusal]:
    """The parts that failed checks speak of, by tool or number; all of them for a check that speaks of nothing.

    A check that speaks of ``distractors`` only blames no part, nor does the one that says whose sub-task they solve.
    """
    told: dict[int, list[Check]] = {}
    for check in report.failures():
        named = [p for p in parts if _speaks_of(check.detail, p.tool.name) or _numbers(check.detail, p.id)]
        of_distractors = any(_speaks_of(check.detail, name) for name in distractors)
        if of_distractors and (check.name == _DISTRACTORS or not named):
            continue
        for part in named or parts:
            told.setdefault(part.id, []).append(check)
    return [
        Refusal(
            part=part,
            reason=told[part.id][0].name,
            detail="; ".join(f"{check.name}: {check.detail}" for check in told[part.id]),
            keeps_document=not any(_OF_DOCUMENT.search(check.name) for check in told[part.id]),
        )
        for part in parts
        if part.id in told
    ]


def _speaks_of(detail: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", detail) is not None


def _numbers(detail: str, number: int) -> bool:
    return re.search(rf"sub-?tasks?\b\W*(?:id\W*)?{number}\b", detail, re.IGNORECASE) is not None
