"""A model that is not to be trusted: the offline teacher's replies, with chosen ones turned into something else."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from astra_synth_worker.llm.base import Completion, Prompt
from astra_synth_worker.teacher.offline import OfflineTeacher

Twist = Callable[[Any, Prompt], Any]
"""A reply's JSON value and its prompt to what is said instead; a string is said as it is."""


class Saboteur:
    """Implements the protocol of a model. ``asked`` are the prompts it got."""

    name = "saboteur"

    def __init__(self, twists: Mapping[str, Twist] | None = None) -> None:
        self._teacher, self._twists = OfflineTeacher(), dict(twists or {})
        self.asked: list[Prompt] = []

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        completion = await self._teacher.complete(prompt)
        if prompt.name not in self._twists:
            return completion
        said = self._twists[prompt.name](json.loads(completion.content or ""), prompt)
        return Completion(content=said if isinstance(said, str) else json.dumps(said), prompt_tokens=3)
