"""A typed answer from a model that writes text."""

from typing import TypeVar

from pydantic import BaseModel

from astra_synth_worker.llm.base import LLM, Prompt, Usage

Reply = TypeVar("Reply", bound=BaseModel)


class MalformedReply(Exception):
    """The model's replies could not be read as the wanted type, however often it was asked."""


async def ask(llm: LLM, prompt: Prompt, reply: type[Reply], usage: Usage, *, tries: int = 3) -> Reply:
    """Ask until the reply is a valid ``reply``; each new try tells the model what was wrong with the last one."""
    raise NotImplementedError
