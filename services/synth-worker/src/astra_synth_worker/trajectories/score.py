"""Seven dimensions of an agent's run, each in [0, 1] (paper §3.1.5). A judge without a verdict leaves null."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import structlog
from astra_proto.messages import AssistantMessage, Message, ToolMessage
from astra_proto.tools import ToolServer
from astra_proto.trajectories import Task, TrajectoryScore
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from astra_synth_worker.jobs.context import Context
from astra_synth_worker.llm.ask import MalformedReply, ask
from astra_synth_worker.llm.base import LLMFailed, Prompt
from astra_synth_worker.trajectories.rollout import Rollout

log = structlog.get_logger()


def _graded(score: float) -> float:
    if score not in (0.0, 0.5, 1.0):
        raise ValueError("must be 0, 0.5 or 1")
    return score


Grade = Annotated[float, Field(strict=True), AfterValidator(_graded)]
"""0, 0.5 or 1, and nothing that merely looks like it: ``true`` and ``"1"`` are no verdicts."""


class Verdict(BaseModel):
    """What a judge of one thing says: why, then how good."""

    model_config = ConfigDict(extra="ignore")
    thought: str
    score: Grade


def verdicts(count: int) -> type[BaseModel]:
    """What a judge of ``count`` calls says: one mark, 0 or 1, for each."""
    mark = Annotated[int, Field(strict=True, ge=0, le=1)]
    return create_model(
        "Verdicts",
        thought=(str, ...),
        scores=(Annotated[list[mark], Field(min_length=count, max_length=count)], ...),
    )


async def score_rollout(task: Task, server: ToolServer, rollout: Rollout, context: Context) -> TrajectoryScore:
    """Ask every judge. Those that fail leave their dimension null; none stands in for another."""
    judges = Judges(task, server, rollout, context)
    names = list(TrajectoryScore.model_fields)
    scores = await asyncio.gather(*(_or_null(name, getattr(judges, name)) for name in names))
    return TrajectoryScore(**dict(zip(names, scores, strict=True)))


async def _or_null(name: str, judge: Callable[[], Awaitable[float]]) -> float | None:
    try:
        return await judge()
    except (LLMFailed, MalformedReply) as error:
        log.warning("judge.no_verdict", dimension=name, error=f"{type(error).__name__}: {error}"[:500])
        return None


class Judges:
    """The judges of one run. Each method is a dimension and gives its score."""

    def __init__(self, task: Task, server: ToolServer, rollout: Rollout, context: Context) -> None:
        self._task, self._rollout, self._context = task, rollout, context
        self._talk: list[Message] = [m for m in rollout.messages if m.role != "system"]
        self._tools = [{"name": t.name, "description": t.description} for t in server.tools]

    async def query_understanding(self) -> float:
        """Does the agent's first move show that it understood what is asked?"""
        return await self._grade("judge_query_understanding", self._talk)

    async def query_planning(self) -> float:
        """Does its plan, said or shown by its calls, lead to what is asked?"""
        return await self._grade("judge_query_planning", self._talk)

    async def response_understanding(self) -> float:
        """Mean over its turns after a tool result: did it take from the result what is there?"""
        return await self._mean_over_rounds("judge_response_understanding")

    async def response_planning(self) -> float:
        """Mean over its turns after a tool result: was the next move the right one?"""
        return await self._mean_over_rounds("judge_response_planning")

    async def call_status(self) -> float:
        """Share of calls that worked: the gateway's word on failures, a judge's on what merely came back."""
        worked = [call.ok for call in self._rollout.calls]
        marks = await self._marks("judge_call_status")
        return _mean([float(ok and mark == 1) for ok, mark in zip(worked, marks, strict=True)])

    async def conciseness(self) -> float:
        """Share of calls that were needed: a judge says so, and none just repeats the call before it."""
        marks = await self._marks("judge_conciseness")
        return _mean([float(mark == 1 and not again) for mark, again in zip(marks, self._repeats(), strict=True)])

    async def final_answer(self) -> float:
        """Mean of whether the answer fits the question and whether it says what the run really found."""
        question, answer = self._task.question, self._talk[-1].content or ""
        if language(question) != language(answer):
            return 0.0
        seen = "\n".join(message.content or "" for message in self._talk[:-1])
        correct = await self._grade("judge_answer_correctness", self._talk)
        if any(url not in seen for url in re.findall(r"https?://[^\s)>\]\"']+", answer)):
            return correct / 2  # it names a place that it never saw
        return (correct + await self._grade("judge_answer_summary", self._talk)) / 2

    async def _mean_over_rounds(self, name: str) -> float:
        # A judge sees what the agent saw, up to the turn it judges, and nothing of what came after (§3.1.5).
        ends = [
            at
            for at, message in enumerate(self._talk)
            if isinstance(message, AssistantMessage) and at and isinstance(self._talk[at - 1], ToolMessage)
        ]
        rounds = (self._grade(name, self._talk[: at + 1]) for at in ends)
        grades = await asyncio.gather(*rounds, return_exceptions=True)
        for grade in grades:
            if isinstance(grade, BaseException):
                raise grade
        return _mean([grade for grade in grades if isinstance(grade, float)])

    def _variables(self, talk: Sequence[Message]) -> dict[str, Any]:
        calls = sum(isinstance(message, ToolMessage) for message in talk)
        return {
            "question": self._task.question,
            "chain": self._task.chain,
            "tools": self._tools,
            "transcript": [message.model_dump(mode="json") for message in talk],
            "calls": [call.model_dump(mode="json") for call in self._rollout.calls[:calls]],
        }

    async def _grade(self, name: str, talk: Sequence[Message]) -> float:
        prompt = Prompt(name, self._variables(talk), temperature=0.0)
        return (await ask(self._context.llm, prompt, Verdict, self._context.usage)).score

    async def _marks(self, name: str) -> list[int]:
        prompt = Prompt(name, self._variables(self._talk), temperature=0.0)
        reply = await ask(self._context.llm, prompt, verdicts(len(self._rollout.calls)), self._context.usage)
        return list(reply.scores)  # type: ignore[attr-defined]

    def _repeats(self) -> list[bool]:
        """For each call, whether the one before it was the same and had the same result."""
        calls = [c.function for m in self._talk if isinstance(m, AssistantMessage) for c in m.tool_calls or ()]
        outputs = [m.content for m in self._talk if isinstance(m, ToolMessage)]
        done = list(zip(calls, outputs, strict=True))
        return [at > 0 and done[at] == done[at - 1] for at in range(len(done))]


def language(text: str) -> str:
    """``zh`` when most letters are Chinese, Japanese or Korean characters, else ``other``."""
    letters = [c for c in text if c.isalpha()]
    cjk = sum("\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in letters)
    return "zh" if cjk > 0.4 * len(letters) and letters else "other"


def _mean(values: list[float]) -> float:
    assert values, "a run that is scored has at least one call and a turn after it"
    return sum(values) / len(values)
