"""Supervised fine-tuning: transformers' Trainer over rows that are tokenised and masked already."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from astra_proto.runs import SFTConfig
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

from astra_trainer.engines.cpu.optimizer import MuonAdamW
from astra_trainer.engines.cpu.policy import load_policy, save_policy
from astra_trainer.engines.cpu.scratch import from_scratch, read_rows
from astra_trainer.engines.cpu.sft_data import BatchMaker
from astra_trainer.engines.cpu.watch import CHECKPOINTS, Stop, Watch, checkpoint, write_whole
from astra_trainer.engines.task import POLICY, EngineTask
from astra_trainer.recipe import CURRICULUM, STEPS
from astra_trainer.rollout.tokens import Tokens

log = logging.getLogger(__name__)
IGNORED = -100
SAVE_STEPS = 50
COUNTS = "counts.json"
"""What became of the rows: how many were cut, dropped, or shown with fewer tools."""


class BatchDataset(Dataset[list[Tokens]]):
    """Item i is batch i, so that the loader's order is the order they were made in."""

    def __init__(self, batches: Sequence[list[Tokens]]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> list[Tokens]:
        return self._batches[index]


class Collator:
    """Pads a batch on the right. No mask is needed: attention is causal, and padding is in no loss."""

    def __init__(self, pad_id: int) -> None:
        self._pad = pad_id

    def __call__(self, items: list[list[Tokens]]) -> dict[str, torch.Tensor]:
        """The one batch among ``items`` as tensors."""
        (batch,) = items
        width = max(map(len, batch))
        ids = torch.full((len(batch), width), self._pad)
        labels = torch.full((len(batch), width), IGNORED)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens.ids)
            labels[row, : len(tokens)] = torch.tensor(tokens.ids).masked_fill(~torch.tensor(tokens.trained), IGNORED)
        return {"input_ids": ids, "labels": labels}


class SFTTrainer(Trainer):
    """The loss is over assistant tokens alone, and only they pass through the output layer."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return SequentialSampler(self.train_dataset)

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        """Mean cross-entropy of the assistant's tokens in the batch."""
        labels = inputs["labels"][:, 1:]
        chosen = labels != IGNORED
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state[:, :-1]
            logits = model.lm_head(hidden[chosen])
        return torch.nn.functional.cross_entropy(logits.float(), labels[chosen])


def run_sft(task: EngineTask, config: SFTConfig, folder: Path, stop: Stop) -> None:
    """Train on the rows in ``folder`` and leave the policy there, unless told to stop."""
    rows = read_rows(folder)
    model, vocabulary = load_policy(task.base) if task.base else from_scratch(rows, config.seed)
    maker = BatchMaker(rows, vocabulary, CURRICULUM, config.seed)
    log.info("data: %s", dict(maker.counts))
    write_whole(folder / COUNTS, json.dumps(maker.counts))
    batches = maker.make(config.max_steps or STEPS, config.batch_size)
    watch = Watch(folder, stop, config.max_seconds)
    train_sft(model, batches, config, vocabulary.pad_id, folder, watch)
    if not stop.asked:
        save_policy(folder / POLICY, model, vocabulary)


def train_sft(
    model: torch.nn.Module,
    batches: Sequence[list[Tokens]],
    config: SFTConfig,
    pad_id: int,
    folder: Path,
    watch: Watch,
) -> None:
    """Train ``model`` in place, one step a batch, from the last checkpoint if there is one."""
    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        max_steps=len(batches),
        per_device_train_batch_size=1,
        use_cpu=True,
        seed=config.seed,
        logging_steps=10,
        save_steps=SAVE_STEPS,
        save_total_limit=2,
        max_grad_norm=1.0,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    optimizer = MuonAdamW(model, config.learning_rate)

    def height(step: int) -> float:
        """The learning rate as a share of its peak, by the share of steps or of seconds that is spent."""
        return CURRICULUM.height(max(step / len(batches), watch.share_spent()))

    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=BatchDataset(batches),
        data_collator=Collator(pad_id),
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, height)),
        callbacks=[watch],
    )
    trainer.train(resume_from_checkpoint=checkpoint(folder))
