"""Which labels there are, and where; see :mod:`delineate.formats.labels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["survey"]


@kernel
def survey(labels: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Look at every sample once.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    seen
        As long as the greatest label of the dtype and one; set where a label is.

    Returns
    -------
    ndarray of int64
        ``(6,)``: lowest and highest (exclusive) slice, row, column of what is not 0; all 0 where
        nothing is.
    """
    slices, rows, columns = labels.shape
    box = np.zeros(6, np.int64)
    first = True
    for k in range(slices):
        for r in range(rows):
            left, right = columns, 0
            c = 0
            while c < columns:
                one = labels[k, r, c]
                start = c
                c += 1
                # Runs of one label, eight by eight, then one by one.
                while c + 8 <= columns:
                    changed = labels[k, r, c] ^ one
                    for i in range(1, 8):
                        changed |= labels[k, r, c + i] ^ one
                    if changed != 0:
                        break
                    c += 8
                while c < columns and labels[k, r, c] == one:
                    c += 1
                seen[one] = True
                if one != 0:
                    left, right = min(left, start), c
            if right == 0:
                continue
            if first:
                first = False
                box[0], box[2], box[3], box[4], box[5] = k, r, r + 1, left, right
            box[1] = k + 1
            box[2], box[3] = min(box[2], r), max(box[3], r + 1)
            box[4], box[5] = min(box[4], left), max(box[5], right)
    return box
