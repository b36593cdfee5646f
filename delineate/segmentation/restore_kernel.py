"""The loop that gives every sample of a scan the label of the interpolated logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

MIXED = 255


@kernel
def cell_labels(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label that all eight corners of each cell share, else 255; shape one less on each axis."""
    nz, ny, nx = label.shape
    out = np.empty((nz - 1, ny - 1, nx - 1), np.uint8)
    for k in range(nz - 1):
        for j in range(ny - 1):
            for i in range(nx - 1):
                first = label[k, j, i]
                same = True
                for corner in range(1, 8):
                    other = label[k + (corner >> 2), j + ((corner >> 1) & 1), i + (corner & 1)]
                    if other != first:
                        same = False
                out[k, j, i] = first if same else 255
    return out


@kernel
def interpolated_labels(
    logits: NDArray[np.float32],
    cells: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    first: int,
    out: NDArray[np.uint8],
) -> None:
    """Fill a slab of the scan with the class whose trilinear logit is the largest.

    Where the corners of a cell agree the interpolation need not be done: a class that has the
    largest logit at each corner has it at every mean of them.

    Parameters
    ----------
    logits
        Shape (slice, row, column, class), contiguous.
    cells
        From `cell_labels`.
    matrix
        (3, 4); maps indices of the scan to indices of the logits.
    first
        Number of the slab's first slice in the scan.
    out
        The slab, shape (slice, row, column).
    """
    nz, ny, nx, classes = logits.shape
    weight = np.empty(8, np.float64)
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                z = matrix[0, 0] * (k + first) + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
                y = matrix[1, 0] * (k + first) + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
                x = matrix[2, 0] * (k + first) + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
                z = min(max(z, 0.0), nz - 1.0)
                y = min(max(y, 0.0), ny - 1.0)
                x = min(max(x, 0.0), nx - 1.0)
                a = min(int(z), nz - 2)
                b = min(int(y), ny - 2)
                c = min(int(x), nx - 2)
                label = cells[a, b, c]
                if label != 255:
                    out[k, j, i] = label
                    continue
                fz, fy, fx = z - a, y - b, x - c
                for corner in range(8):
                    wz = fz if corner >> 2 else 1.0 - fz
                    wy = fy if (corner >> 1) & 1 else 1.0 - fy
                    wx = fx if corner & 1 else 1.0 - fx
                    weight[corner] = wz * wy * wx
                best = -np.inf
                chosen = 0
                for n in range(classes):
                    value = 0.0
                    for corner in range(8):
                        value += (
                            weight[corner]
                            * logits[
                                a + (corner >> 2), b + ((corner >> 1) & 1), c + (corner & 1), n
                            ]
                        )
                    if value > best:
                        best = value
                        chosen = n
                out[k, j, i] = chosen


__all__: list[Any] = ["MIXED", "cell_labels", "interpolated_labels"]
