"""Of what a network says, the regions that are believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

__all__ = ["Region", "believed_regions", "numbered_regions"]

_NEVER = np.float32(-1e4)
_TOUCHING = np.zeros((3, 3, 3), bool)  # also by a corner; slices are pictures of their own
_TOUCHING[1] = True


@dataclass(frozen=True, slots=True)
class Region:
    """A connected part of one label: how many samples, and their mean probability."""

    label: int
    samples: int
    probability: float


def numbered_regions(
    logits: NDArray[np.float32], covered: NDArray[np.bool_], outline_at: float
) -> tuple[NDArray[np.int32], list[Region]]:
    """Connected samples whose most probable class is a defect, and sure enough of it.

    Parameters
    ----------
    logits
        ``(class, slice, row, column)``, background first.
    covered
        Samples that the picture holds, ``(slice, row, column)``; only they count.
    outline_at
        Softmax probability from which on a sample belongs to a region.

    Returns
    -------
    pieces : ndarray of int32, ``(slice, row, column)``
        0 outside, ``n`` in the region ``regions[n - 1]``.
    regions : list of Region
    """
    top = logits.max(axis=0)
    probability = 1 / np.exp(logits - top).sum(axis=0)  # of the winner
    inside = covered & (probability >= outline_at)
    winner = logits.argmax(axis=0)
    numbered = np.zeros(winner.shape, np.int32)
    regions: list[Region] = []
    for label in range(1, len(logits)):
        pieces, count = ndimage.label((winner == label) & inside, _TOUCHING)
        samples = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        total = np.bincount(pieces.ravel(), probability.ravel(), minlength=count + 1)[1:]
        numbered += np.where(pieces > 0, pieces + len(regions), 0)
        regions += [
            Region(label, int(n), float(p / n)) for n, p in zip(samples, total, strict=True)
        ]
    return numbered, regions


def believed_regions(
    logits: NDArray[np.float32],
    covered: NDArray[np.bool_],
    outline_at: float,
    min_samples: int,
    min_probability: float,
) -> list[Region]:
    """Drop regions that are too small or too unsure, and tell of the others.

    Parameters
    ----------
    logits, covered, outline_at
        As of `numbered_regions`. The logits are changed in place: whatever is in no region that
        is kept becomes background.
    min_samples, min_probability
        What a region has to have: connected samples, and their mean softmax probability.

    Returns
    -------
    list of Region
        The largest first.
    """
    pieces, regions = numbered_regions(logits, covered, outline_at)
    good = [each.samples >= min_samples and each.probability >= min_probability for each in regions]
    logits[1:, ~np.array([False, *good])[pieces]] = _NEVER
    kept = [region for region, believed in zip(regions, good, strict=True) if believed]
    return sorted(kept, key=lambda region: -region.samples)
