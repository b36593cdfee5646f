"""Fill polygons row by row; see :mod:`delineate.contour.fill`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["paint"]

Labels = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def paint(
    volume: Labels,
    label: int,
    slices: NDArray[np.int64],
    starts: NDArray[np.int64],
    points: NDArray[np.float64],
    clashes: NDArray[np.int64],
) -> None:
    """Write ``label`` into the samples of ``volume`` that the rings hold and that are 0.

    Parameters
    ----------
    volume
        ``(slice, row, column)``; changed in place.
    label
        What to write.
    slices, starts, points
        As :class:`~delineate.contour.plane.SliceRings` has them, rings in the order of their
        slices. Those of one slice are taken together.
    clashes
        ``clashes[v]`` grows by one for each sample inside that holds another label ``v``.
    """
    rows, columns = volume.shape[1], volume.shape[2]
    flips = np.zeros((rows, columns), np.uint8)  # 1 where inside changes to outside or back
    box = np.empty(4, np.int64)
    ring = 0
    while ring < len(slices):
        k = slices[ring]
        box[0], box[1], box[2], box[3] = rows, -1, columns, -1
        while ring < len(slices) and slices[ring] == k:
            start, stop = starts[ring], starts[ring + 1]
            j = stop - 1
            for i in range(start, stop):
                _flip(points[j, 0], points[j, 1], points[i, 0], points[i, 1], flips, box)
                j = i
            ring += 1
        for r in range(box[0], box[1] + 1):
            inside = 0
            for c in range(box[2], box[3] + 1):
                inside ^= flips[r, c]
                flips[r, c] = 0
                if inside:
                    there = volume[k, r, c]
                    if there == 0:
                        volume[k, r, c] = label
                    elif there != label:
                        clashes[there] += 1


@kernel
def _flip(
    r0: float,
    c0: float,
    r1: float,
    c1: float,
    flips: NDArray[np.uint8],
    box: NDArray[np.int64],
) -> None:
    """Note where an edge crosses rows: from that column on, inside and outside change places.

    ``box`` holds the first and last row and column that are touched.
    """
    if r0 > r1:  # so that an edge crosses at the same place whichever way it runs
        r0, c0, r1, c1 = r1, c1, r0, c0
    rows, columns = flips.shape
    first = int(min(max(np.ceil(r0), 0.0), float(rows)))
    last = int(min(max(np.ceil(r1), 0.0), float(rows))) - 1
    if first > last:
        return
    box[0] = min(box[0], first)
    box[1] = max(box[1], last)
    for r in range(first, last + 1):
        crossing = np.ceil(c0 + (r - r0) * (c1 - c0) / (r1 - r0))
        if not crossing < columns:  # NaN too, of coordinates near the end of what a float holds
            box[3] = columns - 1
            continue
        c = int(max(crossing, 0.0))
        flips[r, c] ^= 1
        box[2] = min(box[2], c)
        box[3] = max(box[3], c)
