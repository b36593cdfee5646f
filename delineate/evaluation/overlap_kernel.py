"""Count two label maps against each other in one pass; see :mod:`delineate.evaluation.overlap`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["tally"]


@kernel
def tally(
    reference: NDArray[Any],
    prediction: NDArray[Any],
    reference_ids: NDArray[np.int32],
    prediction_ids: NDArray[np.int32],
    size: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count, place and bound every structure of both.

    Parameters
    ----------
    reference, prediction
        Labels, ``(slice, row, column)``, C order.
    reference_ids, prediction_ids
        Number of the structure of each label, 0 for none; as long as the greatest label and one.
    size
        Greater than the greatest number.

    Returns
    -------
    counts
        ``(size, 3)``: samples in the reference, in the prediction, in both.
    sums
        ``(size, 2, 3)``: *twice* the sums of the indices of both: whole numbers, so exact.
    boxes
        ``(size, 2, 6)``: lowest and highest (exclusive) slice, row, column of both.
    """
    slices, rows, columns = reference.shape
    counts = np.zeros((size, 3), np.int64)
    sums = np.zeros((size, 2, 3), np.int64)
    boxes = np.zeros((size, 2, 6), np.int64)
    for k in range(slices):
        for r in range(rows):
            c = 0
            while c < columns:
                first, second = reference[k, r, c], prediction[k, r, c]
                start = c
                c += 1
                # Runs of equal pairs, eight by eight, then one by one.
                while c + 8 <= columns:
                    changed = (reference[k, r, c] ^ first) | (prediction[k, r, c] ^ second)
                    for i in range(1, 8):
                        changed |= reference[k, r, c + i] ^ first
                        changed |= prediction[k, r, c + i] ^ second
                    if changed != 0:
                        break
                    c += 8
                while c < columns and reference[k, r, c] == first and prediction[k, r, c] == second:
                    c += 1
                if first == 0 and second == 0:
                    continue
                length = c - start
                one, two = reference_ids[first], prediction_ids[second]
                if one != 0 and one == two:
                    counts[one, 2] += length
                for side in range(2):
                    name = one if side == 0 else two
                    if name == 0:
                        continue
                    if counts[name, side] == 0:
                        boxes[name, side, 0], boxes[name, side, 1] = k, k + 1
                        boxes[name, side, 2], boxes[name, side, 3] = r, r + 1
                        boxes[name, side, 4], boxes[name, side, 5] = start, c
                    else:
                        boxes[name, side, 1] = k + 1
                        boxes[name, side, 2] = min(boxes[name, side, 2], r)
                        boxes[name, side, 3] = max(boxes[name, side, 3], r + 1)
                        boxes[name, side, 4] = min(boxes[name, side, 4], start)
                        boxes[name, side, 5] = max(boxes[name, side, 5], c)
                    counts[name, side] += length
                    sums[name, side, 0] += 2 * k * length
                    sums[name, side, 1] += 2 * r * length
                    sums[name, side, 2] += (start + c - 1) * length
    return counts, sums, boxes
