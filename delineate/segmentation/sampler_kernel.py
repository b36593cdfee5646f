"""The loop that samples an image of any orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["trilinear"]


@kernel
def trilinear(
    array: NDArray[Any], matrix: NDArray[np.float64], first: int, out: NDArray[np.float32]
) -> None:
    """Sample by trilinear interpolation; beyond the outermost samples these are repeated.

    Parameters
    ----------
    array
        Shape ``(slice, row, column)``.
    matrix
        ``(3, 4)``; maps indices of the new grid to indices of ``array``.
    first
        Number of the slab's first slice in the new grid.
    out
        The slab, filled.
    """
    nz, ny, nx = array.shape
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                z = matrix[0, 0] * (k + first) + matrix[0, 1] * j + matrix[0, 2] * i + matrix[0, 3]
                y = matrix[1, 0] * (k + first) + matrix[1, 1] * j + matrix[1, 2] * i + matrix[1, 3]
                x = matrix[2, 0] * (k + first) + matrix[2, 1] * j + matrix[2, 2] * i + matrix[2, 3]
                z = min(max(z, 0.0), nz - 1.0)
                y = min(max(y, 0.0), ny - 1.0)
                x = min(max(x, 0.0), nx - 1.0)
                a, b, c = int(z), int(y), int(x)
                fz, fy, fx = z - a, y - b, x - c
                d, e, f = min(a + 1, nz - 1), min(b + 1, ny - 1), min(c + 1, nx - 1)
                top = (array[a, b, c] * (1 - fx) + array[a, b, f] * fx) * (1 - fy) + (
                    array[a, e, c] * (1 - fx) + array[a, e, f] * fx
                ) * fy
                low = (array[d, b, c] * (1 - fx) + array[d, b, f] * fx) * (1 - fy) + (
                    array[d, e, c] * (1 - fx) + array[d, e, f] * fx
                ) * fy
                out[k, j, i] = top * (1 - fz) + low * fz
