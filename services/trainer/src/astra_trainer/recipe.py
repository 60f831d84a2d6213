"""The numbers of the small model and of its training, found by trial (see the README for what was tried)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SmallModel:
    """A model trained from nothing: about one million parameters."""

    width: int = 128
    layers: int = 4
    vocabulary: int = 1_536
    context: int = 1_024


@dataclass(frozen=True)
class Curriculum:
    """What supervised fine-tuning shows, and when."""

    without_tools: float = 0.3
    """Share of the training in which tool lists are left out: conversations are then a third as long."""
    warmup: float = 0.04
    """Share in which the learning rate rises."""
    decay: float = 0.45
    """Share at the end in which it falls."""
    floor: float = 0.03
    """What it falls to, as a share of its height."""
    max_length: int = 768
    """Longest conversation, in tokens; longer ones are cut behind a whole assistant turn."""

    def height(self, spent: float) -> float:
        """The learning rate as a share of its peak, when this share of the training is spent."""
        if spent < self.warmup:
            return (spent + 0.002) / (self.warmup + 0.002)
        return max(self.floor, min(1.0, (1 - spent) / self.decay))


SMALL_MODEL = SmallModel()
CURRICULUM = Curriculum()
STEPS = 600
"""Steps of supervised fine-tuning, if a run does not say."""
REFILLS = 2
"""Rounds of arenas an RL step plays at most: the ones that are due, and others for groups that teach nothing."""
