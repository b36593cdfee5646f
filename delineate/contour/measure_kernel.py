"""Sum up labels run by run; see :mod:`delineate.contour.measure`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["tally", "tally_values"]

Labels = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def tally(
    labels: Labels, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count, place and bound every label below ``size`` in one pass.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    size
        Greater than the greatest label.

    Returns
    -------
    count
        ``(size,)``: samples.
    sums
        ``(size, 3)``: *twice* the sums of slice, row and column indices: whole numbers, so exact.
    box
        ``(size, 6)``: lowest and highest slice, row and column; the high ends exclusive.
    largest
        ``(size, 2)``: samples in the slice with most of them, and the first such slice.
    """
    slices, rows, columns = labels.shape
    count = np.zeros(size, np.int64)
    sums = np.zeros((size, 3), np.int64)
    box = np.zeros((size, 6), np.int64)
    largest = np.zeros((size, 2), np.int64)
    seen = np.zeros(size, np.int64)  # count before this slice
    for k in range(slices):
        seen[:] = count
        for r in range(rows):
            c = 0
            while c < columns:
                label = labels[k, r, c]
                start = c
                c += 1
                # Equal bytes eight by eight, then one by one.
                while c + 8 <= columns:
                    changed = labels[k, r, c] ^ label
                    for i in range(1, 8):
                        changed |= labels[k, r, c + i] ^ label
                    if changed != 0:
                        break
                    c += 8
                while c < columns and labels[k, r, c] == label:
                    c += 1
                if label == 0:
                    continue
                if count[label] == 0:
                    box[label, 0], box[label, 1] = k, k + 1
                    box[label, 2], box[label, 3] = r, r + 1
                    box[label, 4], box[label, 5] = start, c
                else:
                    box[label, 1] = k + 1
                    box[label, 2] = min(box[label, 2], r)
                    box[label, 3] = max(box[label, 3], r + 1)
                    box[label, 4] = min(box[label, 4], start)
                    box[label, 5] = max(box[label, 5], c)
                length = c - start
                count[label] += length
                sums[label, 0] += 2 * k * length
                sums[label, 1] += 2 * r * length
                sums[label, 2] += (start + c - 1) * length
        for label in range(1, size):
            area = count[label] - seen[label]
            if area > largest[label, 0]:
                largest[label, 0], largest[label, 1] = area, k
    return count, sums, box, largest


@kernel
def tally_values(
    labels: Labels, values: NDArray[Any], box: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """Sum up the values under every label.

    Parameters
    ----------
    labels, values
        ``(slice, row, column)``, C order.
    box
        ``(6,)``: low and high (exclusive) slice, row and column of where any label is.
    size
        Greater than the greatest label.

    Returns
    -------
    array
        ``(size, 6)``: number of finite values, a shift, sum and sum of squares of the values less
        that shift, least, greatest. The shift is the first value met, so that the variance does
        not drown in rounding where the values are far from 0.
    """
    out = np.zeros((size, 6))
    for k in range(box[0], box[1]):
        for r in range(box[2], box[3]):
            for c in range(box[4], box[5]):
                label = labels[k, r, c]
                if label == 0:
                    continue
                value = np.float64(values[k, r, c])
                if not np.isfinite(value):
                    continue
                if out[label, 0] == 0:
                    out[label, 1] = out[label, 4] = out[label, 5] = value
                step = value - out[label, 1]
                out[label, 0] += 1
                out[label, 2] += step
                out[label, 3] += step * step
                out[label, 4] = min(out[label, 4], value)
                out[label, 5] = max(out[label, 5], value)
    return out
