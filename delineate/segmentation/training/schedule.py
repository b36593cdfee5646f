"""How long and how fast to learn."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Schedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to learn.

    Parameters
    ----------
    steps, batch, learning_rate, weight_decay
        AdamW; the rate rises over ``warmup`` steps, stays, and falls as a cosine to zero over the
        last ``cooldown`` share of the steps, so that a run can be lengthened afterwards.
    average
        Decay of the running mean of the weights; the mean is what is kept.
    seed
        With the number of a patch it decides all that is drawn.
    checkpoint_every, validate_every
        Steps between checkpoints, and between validations; 0: none before the end.
    """

    steps: int = 5000
    batch: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 200
    cooldown: float = 0.3
    average: float = 0.998
    seed: int = 1
    checkpoint_every: int = 100
    validate_every: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.checkpoint_every) < 1 or self.learning_rate <= 0:
            raise ValueError(f"expected positive steps, batch and learning rate, got {self}")

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        falling = max(1, round(self.steps * self.cooldown))
        start = self.steps - falling
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = 1.0 if step < start else 0.5 * (1 + math.cos(math.pi * (step - start) / falling))
        return self.learning_rate * rise * fall
