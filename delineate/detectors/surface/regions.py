"""Of what a network says, the regions that are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

__all__ = ["Region", "believed_regions"]

_NEVER = np.float32(-1e4)
_TOUCHING = np.zeros((3, 3, 3), bool)  # also by a corner; slices are pictures of their own
_TOUCHING[1] = True


@dataclass(frozen=True, slots=True)
class Region:
    """A connected part of one label: how many samples, and their mean probability."""

    label: int
    samples: int
    probability: float


def believed_regions(
    logits: NDArray[np.float32],
    covered: NDArray[np.bool_],
    min_samples: int,
    min_probability: float,
) -> list[Region]:
    """Drop regions that are too small or too unsure, and tell of the others.

    Parameters
    ----------
    logits
        ``(class, slice, row, column)``, background first; changed in place: where a region is
        dropped its class gets a very low logit, so that the runner-up takes its place.
    covered
        Samples that the picture holds, ``(slice, row, column)``; only they count.
    min_samples, min_probability
        What a region has to have: connected samples, and their mean softmax probability.

    Returns
    -------
    list of Region
        The largest first.
    """
    top = logits.max(axis=0)
    probability = 1 / np.exp(logits - top).sum(axis=0)  # of the winner
    winner = logits.argmax(axis=0)
    kept: list[Region] = []
    for label in range(1, len(logits)):
        pieces, count = ndimage.label((winner == label) & covered, _TOUCHING)
        samples = np.bincount(pieces.ravel(), minlength=count + 1)
        total = np.bincount(pieces.ravel(), probability.ravel(), minlength=count + 1)
        mean = total / np.maximum(samples, 1)
        good = (samples >= min_samples) & (mean >= min_probability)
        good[0] = False
        logits[label][(winner == label) & ~good[pieces]] = _NEVER
        numbers: Sequence[int] = np.flatnonzero(good).tolist()
        kept += [Region(label, int(samples[n]), float(mean[n])) for n in numbers]
    return sorted(kept, key=lambda region: -region.samples)
