"""Send rays through triangles; see :mod:`delineate.contour.surface_fill`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["closed", "windings"]


@kernel
def closed(faces: NDArray[np.int32]) -> bool:
    """Whether each edge is run along as often one way as the other.

    Adds up a hash of each edge, negative one way: what is left of edges that do not cancel is 0 by
    chance once in 2^64.
    """
    total = np.uint64(0)
    for m in range(len(faces)):
        for i in range(3):
            a, b = faces[m, i], faces[m, (i + 1) % 3]
            mixed = np.uint64(min(a, b)) << np.uint64(32) | np.uint64(max(a, b))
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(31)
            if a < b:
                total += mixed
            else:
                total -= mixed
    return bool(total == 0)


@kernel
def windings(
    points: NDArray[np.float64], faces: NDArray[np.int32], shape: NDArray[np.int64]
) -> NDArray[np.int32]:
    """How often each row of samples enters and leaves a surface, and where.

    A ray follows each row of samples. It is at once in a plane of constant slice, which cuts a
    triangle in a segment, and on a line of constant row, which that segment crosses or not. Both
    are decided by comparing single coordinates, an end that is equal counting as before; and where
    a plane cuts an edge is reckoned from the same end for both triangles. So the segments join
    without gap or overlap, and a ray through an edge or a vertex is counted once.

    Parameters
    ----------
    points
        ``(n, 3)``: indices ``(slice, row, column)``.
    faces
        ``(m, 3)``.
    shape
        ``(3,)``: samples.

    Returns
    -------
    array
        ``shape``: added up along columns, the number of turns of the surface round each sample.
    """
    slices, rows, columns = shape
    turns = np.zeros((slices, rows, columns), np.int32)
    ends = np.empty((2, 2))  # row and column where the boundary goes up through the plane, and down
    for m in range(len(faces)):
        a, b, c = points[faces[m, 0]], points[faces[m, 1]], points[faces[m, 2]]
        lowest, highest = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
        for k in range(max(int(np.ceil(lowest)), 0), min(int(np.floor(highest)), slices - 1) + 1):
            if highest <= k:  # all three ends are before the plane
                continue
            _cut(a, b, k, ends)
            _cut(b, c, k, ends)
            _cut(c, a, k, ends)
            low, high = min(ends[0, 0], ends[1, 0]), max(ends[0, 0], ends[1, 0])
            for r in range(max(int(np.ceil(low)), 0), min(int(np.floor(high)), rows - 1) + 1):
                if (ends[0, 0] <= r) == (ends[1, 0] <= r):
                    continue
                part = (r - ends[0, 0]) / (ends[1, 0] - ends[0, 0])
                column = int(np.ceil(ends[0, 1] + part * (ends[1, 1] - ends[0, 1])))
                if column < columns:
                    turns[k, r, max(column, 0)] += 1 if ends[0, 0] <= r else -1
    return turns


@kernel
def _cut(a: NDArray[np.float64], b: NDArray[np.float64], k: int, ends: NDArray[np.float64]) -> None:
    """Where the edge from a to b goes through plane k, if it does."""
    if (a[0] <= k) == (b[0] <= k):
        return
    up = a[0] <= k
    if a[0] > b[0]:
        a, b = b, a
    part = (k - a[0]) / (b[0] - a[0])
    end = 0 if up else 1
    ends[end, 0] = a[1] + part * (b[1] - a[1])
    ends[end, 1] = a[2] + part * (b[2] - a[2])
