"""Hounsfield units as a network sees them: the same CT through several windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Window:
    """A window of HU brought to [-1, 1], clipped outside."""

    low_hu: float
    high_hu: float

    def __post_init__(self) -> None:
        if not self.low_hu < self.high_hu:
            raise ValueError(f"expected low below high, got {self.low_hu} to {self.high_hu} HU")

    def apply(self, hu: torch.Tensor) -> torch.Tensor:
        """Window HU of any shape."""
        middle, half = (self.high_hu + self.low_hu) / 2, (self.high_hu - self.low_hu) / 2
        return ((hu - middle) / half).clamp_(-1.0, 1.0)


def channels(hu: torch.Tensor, windows: tuple[Window, ...]) -> torch.Tensor:
    """One channel a window: HU ``(batch, slice, row, column)`` to ``(batch, window, ...)``."""
    import torch

    return torch.stack([window.apply(hu) for window in windows], dim=1)
