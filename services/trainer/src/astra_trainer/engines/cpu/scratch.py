"""A policy from nothing: a vocabulary made from the texts it will be trained on, and an untrained model."""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from astra_proto.runs import SFTRow

from astra_trainer.data.values import Values
from astra_trainer.engines.cpu.policy import Vocabulary, new_model, train_vocabulary
from astra_trainer.engines.task import SFT_DATA
from astra_trainer.recipe import SMALL_MODEL
from astra_trainer.rollout.render import render

REDRAWN = 3
"""Times each demonstration is shown with other values to make the vocabulary from."""


def read_rows(folder: Path) -> list[SFTRow]:
    """The conversations that were exported into ``folder``."""
    return [SFTRow.model_validate_json(line) for line in (folder / SFT_DATA).read_bytes().splitlines()]


def from_scratch(rows: Sequence[SFTRow], seed: int) -> tuple[torch.nn.Module, Vocabulary]:
    """The same rows and seed give the same vocabulary and weights."""
    values = Values(row.messages for row in rows if row.redraw)
    rng = random.Random(seed)
    shown = ["".join(span.text for span in render(row.messages, row.tools)) for row in rows]
    # Names that few demonstrations hold by chance are as common as others once values are redrawn.
    shown += [
        "".join(span.text for span in render(values.redraw(row.messages, rng), row.tools))
        for row in rows
        if row.redraw
        for _ in range(REDRAWN)
    ]
    # Long answers of real servers would fill the vocabulary with words that no other conversation has.
    vocabulary = train_vocabulary((text[:4_000] for text in shown), SMALL_MODEL.vocabulary)
    model = new_model(vocabulary, seed, width=SMALL_MODEL.width, layers=SMALL_MODEL.layers, context=SMALL_MODEL.context)
    return model, vocabulary
