"""What the first model of a cascade found, as channels of the second one's input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.segmentation import operators
from delineate.segmentation.working import Working

__all__ = ["PreviousLabels"]


class PreviousLabels:
    """Labels of an image as one channel each on another working grid, 1 inside and 0 outside.

    As nnU-Net does, a label is interpolated linearly and holds from one half on; of two that hold
    the larger one counts.

    Parameters
    ----------
    labels
        ``(slice, row, column)`` on the image's grid.
    count
        Labels go from 1 to ``count``.
    working
        The grid to bring them to.
    """

    def __init__(self, labels: NDArray[np.uint8], count: int, working: Working) -> None:
        self._labels, self._count, self._working = labels, count, working
        self._turned = working.turn(labels)
        self._operators = None
        if working.places is not None:
            self._operators = tuple(
                (operators.nearest if axis == working.nearest else operators.linear)(places, size)
                for axis, (places, size) in enumerate(
                    zip(working.places, working.turned_shape, strict=True)
                )
            )

    def __call__(self, first: int, stop: int) -> NDArray[np.float32]:
        """Channels for some slices: float32 ``(label, stop - first, row, column)``."""
        found = np.zeros((stop - first, *self._working.grid.shape[1:]), np.uint8)
        for label in range(1, self._count + 1):
            share = self._share(label, first, stop)
            found[share >= 0.5] = label
        for axis, (low, high) in enumerate(self._working.valid):
            shift = first if axis == 0 else 0
            padded = np.moveaxis(found, axis, 0)
            padded[: max(0, low - shift)] = 0
            padded[max(0, high - shift) :] = 0
        numbers = np.arange(1, self._count + 1, dtype=np.uint8)
        return np.asarray(found == numbers[:, None, None, None], np.float32)

    def _share(self, label: int, first: int, stop: int) -> NDArray[np.float32]:
        if self._operators is None:
            from delineate.segmentation.sampler_kernel import trilinear

            back = np.linalg.inv(np.vstack([self._working.matrix, [0, 0, 0, 1]]))[:3]
            out = np.empty((stop - first, *self._working.grid.shape[1:]), np.float32)
            mask = (self._labels == label).view(np.uint8)
            trilinear(mask, np.ascontiguousarray(back), first, out)
            return out
        slices, rows, columns = self._operators
        low, high = operators.reach(slices[first:stop])
        part = (self._turned[low:high] == label).astype(np.float32)
        part = rows @ (part @ columns.T)
        shape = (stop - first, *part.shape[1:])
        weights = slices[first:stop, low:high]
        return np.asarray(weights @ part.reshape(high - low, -1)).reshape(shape)
