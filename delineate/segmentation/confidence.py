"""How sure the network was of each structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.segmentation.merge import Slab, in_parallel
from delineate.segmentation.working import Working

__all__ = ["Certainty", "Confidence"]


@dataclass(frozen=True, slots=True)
class Certainty:
    """Of one structure, over its samples on the working grid that lie within the image.

    Parameters
    ----------
    volume_ml
        What they fill; 0 for a picture of unknown scale.
    probability
        Mean probability of the structure where it was found, 0 to 1: a rank, not a calibrated
        chance of being right.
    border_entropy
        Mean entropy of the probabilities on its surface as a share of the largest possible: 0
        where the network is sure of each outline, 1 where it knows nothing.
    agreement
        Mean share of flips that name the same class; ``None`` where none were made.
    """

    volume_ml: float
    probability: float
    border_entropy: float
    agreement: float | None


class Confidence:
    """Sums up the confidence of all labels slab by slab.

    Parameters
    ----------
    working
        The working grid.
    classes, sigmoid
        Channels that are classes; whether they are regions.
    threads
        How many threads may count.
    """

    def __init__(self, working: Working, classes: int, sigmoid: bool, threads: int) -> None:
        self._working, self._classes, self._sigmoid = working, classes, sigmoid
        self._threads = threads
        self._sums = np.zeros((256, 5))
        self._flips = False

    def add(self, slab: Slab) -> None:
        """Count the fresh slices of a slab."""
        from delineate.segmentation.merge_kernel import measured

        self._flips = slab.logits.shape[3] > self._classes
        covered = self._working.covered(slab.first, slab.stop)
        rows, columns = (
            slice(start, start + size)
            for start, size in zip(slab.corner, slab.code.shape[1:], strict=True)
        )
        counted = np.ascontiguousarray(covered[:, rows, columns])
        # With regions the code's highest bit is the output that counts, numbered from 1.
        labels = _highest_bit()[slab.code] if self._sigmoid else slab.code
        fresh = slab.fresh - slab.first
        parts: list[NDArray[np.float64]] = []

        def part(first: int, stop: int) -> None:
            sums = np.zeros_like(self._sums)
            window = fresh + first, fresh + stop
            measured(slab.logits, labels, counted, self._classes, self._sigmoid, *window, sums)
            parts.append(sums)

        in_parallel(part, len(slab.code) - fresh, self._threads)
        self._sums += np.sum(sorted(parts, key=lambda each: each.tobytes()), axis=0)

    def of(self, number: int) -> Certainty | None:
        """Of a class, or of a region's output counted from 1; ``None`` if it has no samples."""
        count, probability, surface, entropy, agreeing = self._sums[number].tolist()
        if not count:
            return None
        grid = self._working.grid
        return Certainty(
            count * grid.voxel_size / 1000 if grid.unit == "mm" else 0.0,
            min(1.0, probability / count),
            entropy / surface if surface else 0.0,
            agreeing / count if self._flips else None,
        )


def _highest_bit() -> NDArray[np.uint8]:
    return np.array([code.bit_length() for code in range(256)], np.uint8)
