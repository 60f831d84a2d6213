"""A typed answer from a model that writes text."""

from dataclasses import replace
from typing import TypeVar

from astra_proto.messages import AssistantMessage, UserMessage
from pydantic import BaseModel, ValidationError

from astra_synth_worker.llm.base import LLM, STAGE_USAGE, BudgetSpent, Completion, Prompt, Usage, count
from astra_synth_worker.llm.render import template_hash
from astra_synth_worker.llm.text import NotJson, clean, read_json

Reply = TypeVar("Reply", bound=BaseModel)

_SHOWN = 2_000
"""Characters of a bad reply that are shown to the model again."""


class MalformedReply(Exception):
    """The model's replies could not be read as the wanted type, however often it was asked; ``reply`` is the last."""

    def __init__(self, message: str, reply: str = "") -> None:
        self.reply = reply
        super().__init__(message)


async def complete(llm: LLM, prompt: Prompt, usage: Usage) -> Completion:
    """One call to the model, counted. Raises :class:`BudgetSpent` instead when job or stage have no calls left."""
    if usage.max_calls is not None and usage.calls >= usage.max_calls:
        raise BudgetSpent(f"{prompt.name}: the job's {usage.max_calls} calls to the model are spent")
    stage = STAGE_USAGE.get()
    if stage is not None and stage.max_calls is not None and stage.calls >= stage.max_calls:
        raise BudgetSpent(f"{prompt.name}: the {stage.max_calls} calls to the model that were left are spent")
    count(usage, Usage(calls=1, prompts={prompt.name: template_hash(prompt.name)}))
    completion = await llm.complete(prompt)
    count(usage, Usage(prompt_tokens=completion.prompt_tokens, completion_tokens=completion.completion_tokens))
    return completion


async def ask(llm: LLM, prompt: Prompt, reply: type[Reply], usage: Usage, *, tries: int = 3) -> Reply:
    """Ask until the reply is a valid ``reply``; each new try tells the model what was wrong with the last one.

    Raises :class:`MalformedReply` after ``tries`` replies that were not, and :class:`LLMFailed` when there was none.
    """
    asked, problem, text = prompt, "", ""
    for _ in range(tries):
        completion = await complete(llm, asked, usage)
        text = clean(completion.content or "")
        try:
            return _read(completion, text, reply, usage)
        except (NotJson, ValidationError) as error:
            count(usage, Usage(malformed=1))
            problem = _told(error)
        asked = replace(
            prompt,
            messages=(
                *prompt.messages,
                AssistantMessage(content=text[:_SHOWN] or "(nothing)"),
                UserMessage(
                    content=f"That reply could not be used: {problem}\n"
                    "Answer again with the whole JSON value only, in the form that was asked for."
                ),
            ),
        )
    told = f"{prompt.name}: {tries} replies could not be read as {reply.__name__}; the last: {problem}"
    raise MalformedReply(told, text)


def _read(completion: Completion, text: str, reply: type[Reply], usage: Usage) -> Reply:
    if not text.strip():
        raise NotJson("the reply was empty")
    if completion.truncated:
        raise NotJson("the reply was cut off by its length limit: be shorter")
    value, repaired = read_json(text)
    result = reply.model_validate(value)
    count(usage, Usage(repaired=int(repaired)))
    return result


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_input=False)[:5]
        return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'the value'}: {p['msg']}" for p in problems)
    return str(error)
