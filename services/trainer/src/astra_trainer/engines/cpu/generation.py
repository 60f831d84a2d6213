"""Samples from a small model, many contexts at once, and keeps its attention cache from one turn to the next."""

from collections.abc import Sequence

import torch
from transformers import DynamicCache

from astra_trainer.rollout.episodes import Completion


class Sampler:
    """Writes turns with a policy.

    Identical contexts (the episodes of a group begin alike) are read once. A context that goes on from one of the
    batch before, as every turn but the first does, is read from there. Call `forget` whenever the weights changed.
    """

    def __init__(self, model: torch.nn.Module, pad_id: int, end_id: int, temperature: float, seed: int) -> None:
        self._model = model
        self._pad, self._end = pad_id, end_id
        self._temperature = temperature
        self._random = torch.Generator().manual_seed(seed)
        self.forget()

    def forget(self) -> None:
        """Drop what was read so far."""
        self._read: list[list[int]] = []
        self._cache = DynamicCache()
        self._mask = torch.zeros((0, 0), dtype=torch.long)

    async def generate(self, contexts: list[list[int]], max_new_tokens: int) -> list[Completion]:
        """One turn for each context. It computes where it is awaited: there is nothing to do beside it."""
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                return self._write(contexts, self._read_contexts(contexts), max_new_tokens)
        finally:
            self._model.train(was_training)

    def _read_contexts(self, contexts: list[list[int]]) -> torch.Tensor:
        """Bring the cache to the end of every context; the logits of what comes next, one row a context."""
        rows = self._rows_to_continue(contexts)
        if rows is None:
            self.forget()
            unique = [list(ids) for ids in dict.fromkeys(map(tuple, contexts))]
            row_of = {tuple(ids): row for row, ids in enumerate(unique)}
            logits = self._feed(unique)
            rows = [row_of[tuple(ids)] for ids in contexts]
            logits = logits[rows]
            self._select(rows)
        else:
            self._select(rows)
            logits = self._feed([ids[len(read) :] for ids, read in zip(contexts, self._read, strict=True)])
        self._read = [list(ids) for ids in contexts]
        return logits

    def _rows_to_continue(self, contexts: list[list[int]]) -> list[int] | None:
        """The cached row that each context goes on from, or None if one has none."""
        rows, free = [], list(range(len(self._read)))
        for ids in contexts:
            row = next(
                (r for r in free if len(self._read[r]) < len(ids) and ids[: len(self._read[r])] == self._read[r]), None
            )
            if row is None:
                return None
            free.remove(row)
            rows.append(row)
        return rows

    def _feed(self, pieces: Sequence[Sequence[int]]) -> torch.Tensor:
        """Read more of each row. Pieces are padded on the left, so each row's last token stands last."""
        width = max(map(len, pieces))
        ids = torch.tensor([[self._pad] * (width - len(p)) + list(p) for p in pieces])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in pieces])
        return self._forward(ids, mask)

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen = self._mask if len(self._mask) else torch.zeros((len(ids), 0), dtype=torch.long)
        positions = (seen.sum(1, keepdim=True) + mask.cumsum(1) - 1).clamp(min=0)
        self._mask = torch.cat([seen, mask], 1)
        out = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1].float()

    def _select(self, rows: list[int]) -> None:
        if rows != list(range(len(self._mask))):
            index = torch.tensor(rows)
            self._cache.batch_select_indices(index)
            self._mask = self._mask[index]
            self._read = [self._read[row] for row in rows] if self._read else []

    def _write(self, contexts: list[list[int]], logits: torch.Tensor, limit: int) -> list[Completion]:
        written = [Completion([], []) for _ in contexts]
        live = torch.ones(len(contexts), dtype=torch.bool)
        for count in range(limit):
            tokens, logprobs = self._sample(logits)
            for row in live.nonzero().flatten().tolist():
                written[row].ids.append(int(tokens[row]))
                written[row].logprobs.append(float(logprobs[row]))
            live &= tokens != self._end
            if count + 1 == limit or not live.any():
                break
            # The end of a turn is left for the next reading: only rows still writing are fed.
            logits = self._forward(tokens.masked_fill(~live, self._pad)[:, None], live.long()[:, None])
        for row, completion in enumerate(written):
            fed = int(self._mask[row].sum()) - len(contexts[row])
            self._read[row] = contexts[row] + completion.ids[:fed]
        return written

    def _sample(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self._temperature == 0:
            tokens = logits.argmax(-1)
            return tokens, logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
        scaled = (logits / self._temperature).log_softmax(-1)
        tokens = torch.multinomial(scaled.exp(), 1, generator=self._random)
        return tokens[:, 0], scaled.gather(1, tokens)[:, 0]
