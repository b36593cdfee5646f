"""Rings through the middles of cracks; see :mod:`delineate.contour.trace`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["midpoint_rings"]

Integers = NDArray[np.int32]
Table = NDArray[np.int64]


@kernel
def midpoint_rings(corners: Integers, rings: Table) -> tuple[Integers, Table]:
    """Join the middles of the cracks, of several in a line only the first and the last.

    Takes and gives corners and rings as ``crack_rings`` of :mod:`~delineate.contour.trace_kernel`
    does; rings must not be cut.
    """
    middles = np.empty((2 * len(corners), 2), np.int32)
    table = rings.copy()
    n = 0
    for m in range(len(rings)):
        first, stop = rings[m, 4], rings[m, 5]
        start = n
        r0, c0 = corners[stop - 1]
        for i in range(first, stop):
            r1, c1 = corners[i]
            length = max(abs(r1 - r0), abs(c1 - c0))
            dr, dc = (r1 - r0) // length, (c1 - c0) // length
            n = _line_to(middles, start, n, r0 + dr, c0 + dc)
            if length > 2:
                n = _line_to(middles, start, n, r1 - dr, c1 - dc)
            r0, c0 = r1, c1
        # The ends of the list are neighbours too.
        if _in_line(middles, n - 2, n - 1, start):
            n -= 1
        if _in_line(middles, n - 1, start, start + 1):
            n -= 1
            middles[start] = middles[n]
        table[m, 4], table[m, 5] = start, n
    return middles[:n].copy(), table


@kernel
def _line_to(middles: Integers, start: int, n: int, r: int, c: int) -> int:
    """Append a point to the ring from ``start`` to ``n``; gives the new ``n``."""
    middles[n, 0], middles[n, 1] = r, c
    if n - start >= 2 and _in_line(middles, n - 2, n - 1, n):
        middles[n - 1, 0], middles[n - 1, 1] = r, c
        return n
    return n + 1


@kernel
def _in_line(points: Integers, a: int, b: int, c: int) -> bool:
    r0, c0 = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
    r1, c1 = points[c, 0] - points[b, 0], points[c, 1] - points[b, 1]
    return bool(r0 * c1 == r1 * c0)
