"""Conversations as token ids with an exact mask of what the assistant wrote, and the check that the mask is right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from astra_proto.errors import Invalid
from astra_proto.messages import Message, ToolSpec

from astra_trainer.rollout.episodes import Tokenizer
from astra_trainer.rollout.render import GENERATION_PROMPT, TURN_END, Span, render


@dataclass(frozen=True)
class Tokens:
    """A conversation. ``trained[i]`` says whether the assistant wrote ``ids[i]``."""

    ids: list[int]
    trained: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


def encode(tokenizer: Tokenizer, spans: Iterable[Span]) -> Tokens:
    """Each span by itself, so that no token straddles the edge of what is trained."""
    ids: list[int] = []
    trained: list[bool] = []
    for span in spans:
        piece = tokenizer.encode(span.text)
        ids += piece
        trained += [span.trained] * len(piece)
    return Tokens(ids, trained)


def cut(tokens: Tokens, limit: int) -> Tokens | None:
    """The longest beginning of at most ``limit`` tokens that ends with a whole assistant turn, or None."""
    if len(tokens) <= limit:
        return tokens
    ends = [i + 1 for i in range(limit) if tokens.trained[i] and not tokens.trained[i + 1]]
    return Tokens(tokens.ids[: ends[-1]], tokens.trained[: ends[-1]]) if ends else None


def check_mask(tokenizer: Tokenizer, tokens: Tokens, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
    """Refuse a mask that trains on anything but what the assistant wrote.

    What is trained is decoded and compared with the assistant's turns rendered one by one; what is not trained must
    hold no more and no less than the rest. Raises `Invalid`.
    """
    spans = render(messages, tools)
    text = "".join(span.text for span in spans)
    kept = tokenizer.decode(tokens.ids)
    if not text.startswith(kept):
        raise Invalid("the tokenizer does not give back the text that it was given: no mask can be trusted")
    # A conversation that was cut has fewer turns; those that it has must all be there, and whole.
    wanted, end = list[str](), 0
    for span in spans:
        end += len(span.text)
        if span.trained and end <= len(kept):
            wanted.append(span.text)
    found, run = [], list[int]()
    for position, token in enumerate(tokens.ids):
        if tokens.trained[position]:
            run.append(token)
        if run and (not tokens.trained[position] or position + 1 == len(tokens)):
            found.append(tokenizer.decode(run))
            run = []
    if found != wanted or not found:
        raise Invalid(f"the loss mask is wrong: it trains on {found!r:.300}, the assistant wrote {wanted!r:.300}")
    if any(GENERATION_PROMPT in turn or not turn.endswith(TURN_END) for turn in found):
        raise Invalid("the loss mask reaches over the end of an assistant turn")
