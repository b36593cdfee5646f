"""Merge the answers of tiles on the graphics card that gave them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.segmentation.body import Box
from delineate.segmentation.merge import Slab

__all__ = ["CardMerger"]

Triple = tuple[int, int, int]


class CardMerger:
    """As `merge.Merger`; sums stay on the device, settled slabs leave it.

    Parameters
    ----------
    box, weight, channels, classes, sigmoid
        As of `merge.Merger`.
    device
        Where answers come out.
    """

    def __init__(
        self,
        box: Box,
        weight: NDArray[np.float32],
        channels: int,
        classes: int,
        sigmoid: bool,
        device: torch.device,
    ) -> None:
        (self._base, self._end), (top, bottom), (left, right) = box
        self._settled = self._base
        self._corner = top, left
        self._weight = torch.from_numpy(weight).to(device)
        self._classes, self._sigmoid = classes, sigmoid
        depth = min(self._end - self._base, weight.shape[0] + 2)
        shape = depth, bottom - top, right - left
        self._total = torch.zeros((channels, *shape), device=device)
        self._mass = torch.zeros(shape, device=device)

    def add(self, answer: torch.Tensor, corner: Triple) -> None:
        """Add a tile's logits ``(class, slice, row, column)``, which begin at ``corner``."""
        starts = (
            corner[0] - self._base,
            corner[1] - self._corner[0],
            corner[2] - self._corner[1],
        )
        ends = [start + size for start, size in zip(starts, self._weight.shape, strict=True)]
        inside = zip(ends, self._mass.shape, strict=True)
        if min(starts) < 0 or any(end > size for end, size in inside):
            raise ValueError(f"a tile at {corner} is not within what is being merged")
        place = tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))
        self._total[(slice(None), *place)] += answer * self._weight
        self._mass[place] += self._weight

    def take(self, stop: int) -> Iterator[Slab]:
        """Settle all slices before ``stop`` and hand them out; no further tile reaches them."""
        while self._settled < stop:
            upto = min(stop, self._base + self._mass.shape[0])
            low, high = self._settled - self._base, upto - self._base
            self._settle(low, high)
            logits = self._total[:, :high].movedim(0, -1).contiguous()
            yield Slab(
                self._base,
                self._settled,
                self._corner,
                logits.cpu().numpy(),
                self._codes(logits).cpu().numpy(),
                upto == self._end,
            )
            gone = high - 1
            for array, axis in ((self._total, 1), (self._mass, 0)):
                kept = array.narrow(axis, gone, array.shape[axis] - gone).clone()
                array.zero_()
                array.narrow(axis, 0, kept.shape[axis]).copy_(kept)
            self._base, self._settled = self._base + gone, upto

    def _settle(self, low: int, high: int) -> None:
        total, mass = self._total[:, low:high], self._mass[low:high]
        nowhere = mass == 0
        total /= mass.masked_fill(nowhere, 1.0)
        classes = total[: self._classes]
        classes.masked_fill_(nowhere, -1.0 if self._sigmoid else 0.0)
        if not self._sigmoid:
            classes[0].masked_fill_(nowhere, 1.0)

    def _codes(self, logits: torch.Tensor) -> torch.Tensor:
        classes = logits[..., : self._classes]
        if not self._sigmoid:
            return classes.argmax(-1).to(torch.uint8)
        bits = 2 ** torch.arange(self._classes, device=logits.device)
        return ((classes > 0) * bits).sum(-1).to(torch.uint8)
