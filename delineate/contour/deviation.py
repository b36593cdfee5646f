"""How far two sets of samples are apart: what a round trip through a file has lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid

__all__ = ["Deviation", "deviation"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """What differs between a mask and what came back of it.

    Parameters
    ----------
    dice
        Twice the samples in both over the samples of each, added up; 1.0 where both are empty [1]_.
    largest_distance
        Largest distance, in mm (px on a grid in px), of the centre of a sample of either mask from
        the nearest centre of the other: their Hausdorff distance. ``None`` where exactly one of
        them is empty.

    References
    ----------
    .. [1] Dice, "Measures of the amount of ecologic association between species", Ecology 26(3),
       1945, doi:10.2307/1932409
    """

    dice: float
    largest_distance: float | None

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return self.largest_distance == 0.0


def deviation(one: NDArray[np.bool_], other: NDArray[np.bool_], grid: Grid) -> Deviation:
    """Compare two masks.

    Parameters
    ----------
    one, other
        bool ``(slice, row, column)`` on ``grid``.
    grid
        Where the samples lie. On one that is sheared by more than half a step the distance may be
        stated too large, by less than a step; never too small.
    """
    differ = one ^ other
    if not differ.any():
        return Deviation(1.0, 0.0)
    sizes = int(one.sum()) + int(other.sum())
    dice = 2.0 * int((one & other).sum()) / sizes
    if not one.any() or not other.any():
        return Deviation(dice, None)
    box = _box(one | other)
    one, other = one[box], other[box]
    corner = np.array([part.start for part in box], dtype=np.float64)
    far = max(_farthest(a, b, grid, corner) for a, b in ((one, other), (other, one)))
    return Deviation(dice, far)


def _farthest(
    of: NDArray[np.bool_], to: NDArray[np.bool_], grid: Grid, corner: NDArray[np.float64]
) -> float:
    """Largest distance of a sample of ``of`` from the nearest of ``to``."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    beyond = np.argwhere(of & ~to)
    if not len(beyond):
        return 0.0
    rim = to & ~ndimage.binary_erosion(to, np.ones((3, 3, 3), bool))
    tree = cKDTree(grid.to_world(np.argwhere(rim) + corner))
    return float(tree.query(grid.to_world(beyond + corner))[0].max())


def _box(mask: NDArray[np.bool_]) -> tuple[Any, ...]:
    """The smallest box of slices that holds a mask with a sample."""
    sides = []
    for axis in range(mask.ndim):
        there = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        sides.append(slice(int(there[0]), int(there[-1]) + 1))
    return tuple(sides)
