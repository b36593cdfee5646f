"""Where the body is, so that the network need not look at the air around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.segmentation.working import Working

__all__ = ["Body", "find_body"]

_LEAST_HU = -500.0
_COARSE_MM = 5.0
_MARGIN_MM = 6.0
_LEAST_SHARE = 0.02
_LEAST_ML = 5.0
_CROSS = ndimage.generate_binary_structure(3, 1)

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Where something is that may hold a structure.

    Parameters
    ----------
    low, high
        ``(slice, 2)``: in each slice of the working grid the first and one past the last row and
        column of the body; equal where there is none.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]

    @classmethod
    def everywhere(cls, box: Box) -> Body:
        """A body that fills a box of the working grid."""
        low, high = (np.zeros((box[0][1], 2), np.int64) for _ in range(2))
        inside = slice(*box[0])
        low[inside] = box[1][0], box[2][0]
        high[inside] = box[1][1], box[2][1]
        return cls(low, high)

    @property
    def extent(self) -> tuple[int, int]:
        """First and one past the last slice that holds some of it; ``(0, 0)`` if none does."""
        there = np.flatnonzero((self.high > self.low).all(axis=1))
        return (int(there[0]), int(there[-1]) + 1) if there.size else (0, 0)

    def box(self, first: int, stop: int) -> Box | None:
        """The box around it within some slices; ``None`` if there is nothing."""
        low, high = self.low[first:stop], self.high[first:stop]
        there = (high > low).all(axis=1)
        if not there.any():
            return None
        (a, b), (c, d) = low[there].min(axis=0).tolist(), high[there].max(axis=0).tolist()
        return (first, stop), (a, c), (b, d)

    def within(self, box: Box) -> Body:
        """The part of it in a box."""
        low, high = self.low.copy(), self.high.copy()
        for axis in (0, 1):
            low[:, axis] = np.maximum(low[:, axis], box[axis + 1][0])
            high[:, axis] = np.minimum(high[:, axis], box[axis + 1][1])
        outside = np.ones(len(low), bool)
        outside[slice(*box[0])] = False
        gone = outside | (high <= low).any(axis=1)
        low[gone] = high[gone] = 0
        return Body(low, high)


def find_body(image: Image, working: Working) -> Body:
    """Find the body on a CT: what is denser than lung and no thin plate, and 6 mm around it.

    Boxes hold whatever lies between the parts of a body, lungs and bowel gas included. Table and
    mattress may stay; that costs time, not truth.

    Parameters
    ----------
    image
        CT in Hounsfield units.
    working
        Its working grid.
    """
    grid = working.grid
    turned = working.turn(image.array)
    spacing = np.array([working.source.spacing[axis] for axis in working.turned[0]])
    steps = np.maximum(1, np.rint(_COARSE_MM / spacing)).astype(int)
    coarse = turned[:: steps[0], :: steps[1], :: steps[2]]
    dense = ndimage.binary_opening(np.pad(coarse > _LEAST_HU, 1, mode="edge"), _CROSS)
    dense = dense[1:-1, 1:-1, 1:-1]
    pieces, count = ndimage.label(dense, _CROSS)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    sample_ml = float(np.prod(spacing * steps)) / 1000
    kept = (sizes >= _LEAST_SHARE * sizes.max()) & (sizes * sample_ml >= _LEAST_ML)
    kept[0] = False
    low = np.full((grid.shape[0], 2), np.iinfo(np.int64).max)
    high = np.full((grid.shape[0], 2), -1)
    corners = _corners(kept[pieces], steps, working)
    reach = np.ceil(_MARGIN_MM / np.asarray(grid.spacing))
    for start, stop in corners:
        first, last = (
            np.clip(bound, 0, size).astype(int)
            for bound, size in ((start - reach, grid.shape), (stop + reach + 1, grid.shape))
        )
        slices = slice(int(first[0]), int(last[0]))
        low[slices] = np.minimum(low[slices], first[1:])
        high[slices] = np.maximum(high[slices], last[1:])
    none = (high <= low).any(axis=1)
    low[none] = high[none] = 0
    return Body(low, high)


def _corners(
    mask: NDArray[np.bool_], steps: NDArray[np.int64], working: Working
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Boxes, in indices of the working grid, around what each coarse slice holds."""
    order, flips = working.turned
    shape = np.array(working.turned_shape)
    found = []
    for number in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        rows = np.flatnonzero(mask[number].any(axis=1))
        columns = np.flatnonzero(mask[number].any(axis=0))
        first = np.array([number, rows[0], columns[0]]) * steps
        last = np.minimum(np.array([number, rows[-1], columns[-1]]) * steps + steps, shape - 1)
        ends = np.array(np.meshgrid(*zip(first, last, strict=True), indexing="ij")).reshape(3, -1).T
        ends = np.where(flips, shape - 1 - ends, ends)
        stored = np.empty_like(ends, dtype=float)
        stored[:, list(order)] = ends
        places = stored @ working.matrix[:, :3].T + working.matrix[:, 3]
        found.append((np.floor(places.min(axis=0)), np.ceil(places.max(axis=0))))
    return found
