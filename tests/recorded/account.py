"""What recorded arenas have cost, as JSON and as tables for people."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from astra_proto.jobs import ArenaJob, Job, JobStatus
from pydantic import BaseModel

RELEASE_CALLS = 900
"""Calls to a model that the release of ASTRA may spend on the tool of one sub-question."""
LANGUAGES = {"en": "English", "zh": "Chinese"}


class Row(BaseModel):
    """What came of one job."""

    recording: str
    about: str
    topology: str
    subquestions: int
    """Those that have a tool."""
    arena: bool
    reason: str | None = None
    """Why there is no arena."""
    attempts: int
    drafts_refused: dict[str, int]
    malformed: int
    """Replies that could not be read."""
    calls: int
    tokens_in: int
    tokens_out: int
    sandbox_runs: int
    """Golden calls of drafts that were run, those of the soundness gate aside."""


class Round(BaseModel):
    """All jobs once."""

    replies: int
    hit: int
    """Replies that were damaged."""
    killed: int
    """Times that the worker was killed."""
    jobs: int
    arenas: int
    unsound: list[str]
    """Published arenas that are not what the model meant, that fail a check, or that golden calls do not solve."""
    reasons: dict[str, int]
    """Why the others are none."""
    drafts_refused: int
    malformed: int
    calls: int
    tokens: int
    rows: list[Row]


class Account(BaseModel):
    """Everything, as it stands in ``out/arenas/recorded.json``."""

    release_calls_per_subquestion: int = RELEASE_CALLS
    calls_per_subquestion: float
    """Of the recordings as they are, gate, judges, merging and distractors included."""
    rounds: dict[str, Round]
    lot: list[Row]
    """Jobs drawn by lot and recorded once, with what came of each."""


def row_of(job: Job) -> Row:
    """The row of a job that has ended; its key is the name of the recording."""
    asked, outcome = job.payload, dict[str, Any](job.outcome)
    assert isinstance(asked, ArenaJob)
    usage = outcome["usage"]
    about = ["a question" if asked.question else "knowledge", asked.domain, LANGUAGES[asked.language]]
    return Row(
        recording=job.key,
        about=", ".join([*about, *(["with a state"] if asked.stateful else [])]),
        topology=outcome.get("topology", ""),
        subquestions=outcome.get("subtasks", 0),
        arena=job.status is JobStatus.DONE,
        reason=outcome.get("reason"),
        attempts=job.attempt,
        drafts_refused=outcome.get("tries", {}),
        malformed=usage["malformed"],
        calls=usage["calls"],
        tokens_in=usage["prompt_tokens"],
        tokens_out=usage["completion_tokens"],
        sandbox_runs=outcome.get("sandbox_runs", 0),
    )


def round_of(rows: Sequence[Row], *, replies: int, hit: int, killed: int, unsound: list[str]) -> Round:
    """The sums of some rows."""
    return Round(
        replies=replies,
        hit=hit,
        killed=killed,
        jobs=len(rows),
        arenas=sum(row.arena for row in rows),
        unsound=unsound,
        reasons=dict(Counter(row.reason or "unknown" for row in rows if not row.arena).most_common()),
        drafts_refused=sum(sum(row.drafts_refused.values()) for row in rows),
        malformed=sum(row.malformed for row in rows),
        calls=sum(row.calls for row in rows),
        tokens=sum(row.tokens_in + row.tokens_out for row in rows),
        rows=list(rows),
    )


def by_recording(rows: Sequence[Row]) -> str:
    """The table of the recordings as they are, in Markdown."""
    lines = [
        "| recording | from | shape | sub-questions | refused drafts | calls | a sub-question | golden calls run "
        "| tokens in, out |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in sorted(rows, key=lambda each: each.recording):
        lines.append(f"| `{row.recording}` | {row.about} | {row.topology.replace('_', ' ')} | {_numbers([row])}")
    return "\n".join(["", *lines, f"| all {len(rows)} | | | {_numbers(rows)}", "", ""])


def by_lot(rows: Sequence[Row]) -> str:
    """The table of jobs drawn by lot, all of which were kept, in Markdown."""
    lines = ["| job | from | came of it | refused drafts | calls | tokens in, out |", "|---|---|---|---:|---:|---:|"]
    for row in rows:
        refused = ", ".join(f"{number} {reason}" for reason, number in row.drafts_refused.items()) or "0"
        came = f"`{row.recording}`" if row.arena else f"refused: `{row.reason}`"
        tokens = f"{row.tokens_in:,}, {row.tokens_out:,}"
        lines.append(f"| {row.recording} | {row.about} | {came} | {refused} | {row.calls} | {tokens} |")
    arenas, calls = sum(row.arena for row in rows), sum(row.calls for row in rows)
    tokens = sum(row.tokens_in + row.tokens_out for row in rows)
    each = f"{calls / arenas:.0f} calls, {tokens / arenas:,.0f} tokens for each arena"
    return "\n".join(["", *lines, f"| all {len(rows)} | | {arenas} arenas | | {calls} | {each} |", "", ""])


def _numbers(rows: Sequence[Row]) -> str:
    subquestions, calls = sum(row.subquestions for row in rows), sum(row.calls for row in rows)
    refused, runs = sum(sum(row.drafts_refused.values()) for row in rows), sum(row.sandbox_runs for row in rows)
    tokens = f"{sum(row.tokens_in for row in rows):,}, {sum(row.tokens_out for row in rows):,}"
    return f"{subquestions} | {refused} | {calls} | {calls / max(1, subquestions):.1f} | {runs} | {tokens} |"


def by_round(found: Account) -> str:
    """The table of what came of them under damage, in Markdown."""
    lines = [
        "| | arenas | unsound | refused drafts | unreadable replies | calls, tokens for each arena that came of it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, each in found.rounds.items():
        per = f"{each.calls / each.arenas:.0f}, {each.tokens / each.arenas:,.0f}" if each.arenas else "–"
        killed = f" {each.killed} times" if each.killed else ""
        numbers = f"{len(each.unsound)} | {each.drafts_refused} | {each.malformed}"
        lines.append(f"| {name}{killed} | {each.arenas} of {each.jobs} | {numbers} | {per} |")
    return "\n".join(["", *lines, "", ""])
