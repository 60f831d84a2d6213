"""The offline teacher as judge: rules over what happened. They see less than a model would, and guess nothing."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from astra_synth_worker.llm.base import Completion, Prompt
from astra_synth_worker.trajectories.playbooks.moves import failed, read

_ID = re.compile(r"\b[a-z]{2,8}_[A-Za-z0-9]{6,}\b|\b[0-9a-f]{12,40}\b")
_NUMBER = re.compile(r"(?<!\w)\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"\w[\w.@/-]*\w")

Variables = Mapping[str, Any]


def _grade(rule: Callable[[Variables], tuple[float, str]]) -> Callable[[Prompt], Completion]:
    def handler(prompt: Prompt) -> Completion:
        score, why = rule(prompt.variables)
        return Completion(content=json.dumps({"thought": f"By rule: {why}", "score": score}))

    return handler


def _marks(rule: Callable[[Variables], list[int]], why: str) -> Callable[[Prompt], Completion]:
    def handler(prompt: Prompt) -> Completion:
        return Completion(content=json.dumps({"thought": f"By rule: {why}", "scores": rule(prompt.variables)}))

    return handler


def _understood(given: Variables) -> tuple[float, str]:
    """All of the task's tools were called, some, or none."""
    called = {name for name, _ in _calls(given)}
    wanted = set(given["chain"]) or called
    if wanted <= called:
        return 1, "every tool of the task was called"
    return (0.5, "some tools of the task were called") if wanted & called else (0, "no tool of the task was called")


def _planned(given: Variables) -> tuple[float, str]:
    """The task's tools were called in its order, in another, or not all."""
    names = iter(name for name, _ in _calls(given))
    if all(tool in names for tool in given["chain"]):
        return 1, "the tools of the task were called in its order"
    called = {name for name, _ in _calls(given)}
    return (0.5, "in another order") if set(given["chain"]) <= called else (0, "not all tools were called")


def _read_rightly(given: Variables) -> tuple[float, str]:
    """The last turn uses no id that neither the user nor a result gave."""
    *before, turn = given["transcript"]
    seen = "\n".join(_words(message) for message in before)
    if made_up := sorted(set(_ID.findall(_words(turn))) - set(_ID.findall(seen))):
        return 0, f"these ids came from nowhere: {made_up[:3]}"
    return 1, "every id in the turn was seen before"


def _went_on(given: Variables) -> tuple[float, str]:
    """The last turn does not repeat the call that just failed, nor end with a tool of the task uncalled."""
    *before, turn = given["transcript"]
    now = [_call(call) for call in turn.get("tool_calls") or ()]
    earlier = [_call(call) for message in before for call in message.get("tool_calls") or ()]
    worked = _worked({**given, "transcript": before})
    if now and earlier and not worked[-1] and earlier[-1] in now:
        return 0, "it repeats the call that just failed"
    if not now and not set(given["chain"]) <= {name for name, _ in earlier}:
        return (0.5, "it ends early, and a failure is why") if not all(worked) else (0, "it ends before all was done")
    return 1, "it goes on with the task, or ends when all was called"


def _answered(given: Variables) -> tuple[float, str]:
    """The answer speaks of the results: it quotes something of each call that worked."""
    answer = given["transcript"][-1].get("content") or ""
    outputs = [message["content"] for message in given["transcript"] if message["role"] == "tool"]
    quoted = [_quotes(answer, output) for output in outputs]
    if all(quoted):
        return 1, "it quotes every result"
    share = sum(quoted) / len(quoted)
    return (0.5, "it quotes some results") if share >= 0.5 else (0, "it quotes few results")


def _true(given: Variables) -> tuple[float, str]:
    """Every id and number of the answer stands in the conversation before it."""
    *before, last = given["transcript"]
    answer = last.get("content") or ""
    seen = "\n".join(_words(message) for message in before)
    if invented := sorted(set(_ID.findall(answer)) - set(_ID.findall(seen))):
        return 0, f"these ids came from nowhere: {invented[:3]}"
    known = {_number(n) for n in _NUMBER.findall(seen)}
    known |= {n / 100 for n in known}  # cents said as dollars
    known |= set(range(seen.count("\n") + 2))  # how many of something are listed
    if loose := sorted({n for n in _NUMBER.findall(answer) if _number(n) not in known}):
        return 0.5, f"these numbers were not seen: {loose[:3]}"
    return 1, "every id and number was seen before"


def _worked(given: Variables) -> list[int]:
    """A call worked unless the gateway says otherwise or its text is plainly an error."""
    outputs = [message["content"] for message in given["transcript"] if message["role"] == "tool"]
    return [int(call["ok"] and not failed(read(text))) for call, text in zip(given["calls"], outputs, strict=True)]


def _needed(given: Variables) -> list[int]:
    """A call is needed unless an equal one gave the same result earlier."""
    outputs = [message["content"] for message in given["transcript"] if message["role"] == "tool"]
    done = list(zip(_calls(given), outputs, strict=True))
    return [int(one not in done[:at]) for at, one in enumerate(done)]


def _calls(given: Variables) -> list[tuple[str, str]]:
    return [_call(call) for message in given["transcript"] for call in message.get("tool_calls") or ()]


def _call(call: Mapping[str, Any]) -> tuple[str, str]:
    return call["function"]["name"], call["function"]["arguments"]


def _words(message: Mapping[str, Any]) -> str:
    calls: Sequence[Mapping[str, Any]] = message.get("tool_calls") or ()
    return "\n".join([message.get("content") or "", *(call["function"]["arguments"] for call in calls)])


def _quotes(answer: str, output: str) -> bool:
    words = set(_WORD.findall(output)) - {"id", "ok", "null", "true", "false", "None"}
    numbers = {_number(n) for n in _NUMBER.findall(output)}
    said = {_number(n) for n in _NUMBER.findall(answer)}
    return bool(words & set(_WORD.findall(answer)) or numbers & {m for n in said for m in (n, n * 100)})


def _number(text: str) -> float:
    return round(float(text.replace(",", "")), 6)


RULES: dict[str, Callable[[Prompt], Completion]] = {
    "judge_query_understanding": _grade(_understood),
    "judge_query_planning": _grade(_planned),
    "judge_response_understanding": _grade(_read_rightly),
    "judge_response_planning": _grade(_went_on),
    "judge_call_status": _marks(_worked, "a call failed if the gateway or its text says so"),
    "judge_conciseness": _marks(_needed, "a call that repeats an earlier one with the same result was not needed"),
    "judge_answer_correctness": _grade(_answered),
    "judge_answer_summary": _grade(_true),
}
"""Prompt name to the rule that answers it."""
