"""Batches for supervised fine-tuning, in an order that is a function of the seed alone."""

import random
from collections import Counter
from collections.abc import Sequence

from astra_proto.errors import Invalid
from astra_proto.messages import AssistantMessage
from astra_proto.runs import SFTRow

from astra_trainer.data.values import Values
from astra_trainer.recipe import Curriculum
from astra_trainer.rollout.episodes import Tokenizer
from astra_trainer.rollout.render import render
from astra_trainer.rollout.tokens import Tokens, check_mask, cut, encode


class BatchMaker:
    """Turns conversations into batches. Tools are listed in another order each time they are shown."""

    def __init__(
        self, conversations: Sequence[SFTRow], tokenizer: Tokenizer, curriculum: Curriculum, seed: int
    ) -> None:
        self._tokenizer = tokenizer
        self._curriculum = curriculum
        self._random = random.Random(seed)
        self.counts: Counter[str] = Counter(conversations=len(conversations))
        self._conversations = [c for c in map(self._fitted, conversations) if c is not None]
        if not self._conversations:
            raise Invalid("no conversation is short enough to train on")
        self._waiting: list[SFTRow] = []
        self._values = Values(c.messages for c in self._conversations if c.redraw)

    def make(self, steps: int, batch_size: int) -> list[list[Tokens]]:
        """``steps`` batches, the first ones without tool lists."""
        bare = round(steps * self._curriculum.without_tools)
        batches: list[list[Tokens]] = []
        while len(batches) < steps:
            pool = min(16, (bare if len(batches) < bare else steps) - len(batches))
            batches += self._pool(pool, batch_size, with_tools=len(batches) >= bare)
        return batches

    def _pool(self, batches: int, batch_size: int, *, with_tools: bool) -> list[list[Tokens]]:
        rows = sorted((self._next(with_tools) for _ in range(batches * batch_size)), key=len)
        pool = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
        self._random.shuffle(pool)
        return pool

    def _next(self, with_tools: bool) -> Tokens:
        if not self._waiting:
            self._waiting = self._random.sample(self._conversations, len(self._conversations))
        chosen = self._waiting.pop()
        tools = self._random.sample(chosen.tools, len(chosen.tools)) if with_tools else []
        messages = self._values.redraw(chosen.messages, self._random) if chosen.redraw else chosen.messages
        tokens = cut(encode(self._tokenizer, render(messages, tools)), self._curriculum.max_length)
        assert tokens is not None, "fitted conversations have a whole turn within the limit"
        return tokens

    def _fitted(self, conversation: SFTRow) -> SFTRow | None:
        """The conversation if a whole assistant turn of it fits, with fewer unused tools if need be."""
        used = {
            call.function.name
            for message in conversation.messages
            if isinstance(message, AssistantMessage)
            for call in message.tool_calls or []
        }
        tools = list(conversation.tools)
        tokens = encode(self._tokenizer, render(conversation.messages, tools))
        while len(tokens) > self._curriculum.max_length:
            spare = next((t for t in reversed(tools) if t.function.name not in used), None)
            if spare is None:
                break
            tools.remove(spare)
            tokens = encode(self._tokenizer, render(conversation.messages, tools))
        kept = cut(tokens, self._curriculum.max_length)
        if kept is None:
            self.counts["dropped_too_long"] += 1
            return None
        self.counts["fewer_tools"] += len(tools) < len(conversation.tools)
        self.counts["cut"] += len(kept) < len(tokens)
        self.counts["tokens"] += len(kept)
        check_mask(self._tokenizer, kept, conversation.messages, tools)
        return conversation.model_copy(update={"tools": tools})
