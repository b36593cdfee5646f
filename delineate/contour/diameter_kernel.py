"""Search for the points of a label that are furthest apart; see :mod:`delineate.contour.diameter`.

Indices are doubled, so that the middle between two samples is a whole number and hulls are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["furthest", "hulls", "longest"]

Integers = NDArray[np.int64]


@kernel
def hulls(spans: NDArray[np.int32], centres: bool) -> tuple[Integers, Integers]:
    """The convex hull of one label in each slice.

    Parameters
    ----------
    spans
        ``(n, 5)``: of one label, from :func:`~delineate.contour.measure_kernel.tally`.
    centres
        Whether of sample centres; else of the middles between samples inside and outside.

    Returns
    -------
    points
        ``(m, 2)``: doubled rows and columns of the corners, slice after slice, round each.
    starts
        ``(slices + 1, 2)``: the slice, and where its points begin; the last row is the end.
    """
    count = len(spans)
    slices = 0
    for s in range(count):
        slices += s == 0 or spans[s, 1] != spans[s - 1, 1]
    starts = np.zeros((slices + 1, 2), np.int64)
    points = np.empty((12 * count, 2), np.int64)
    ends = np.empty((6 * count, 2), np.int64)  # of one slice, by row: row and column
    used = number = s = 0
    while s < count:
        first = s
        while s < count and spans[s, 1] == spans[first, 1]:
            s += 1
        starts[number, 0], starts[number, 1] = spans[first, 1], used
        number += 1
        for side in (0, 1):  # the lowest columns in rising rows, then the highest, falling
            n = 0
            for t in range(first, s):
                row = 2 * spans[t, 2]
                column = 2 * spans[t, 3] if side == 0 else 2 * spans[t, 4] - 2
                if centres:
                    ends[n, 0], ends[n, 1] = row, column
                    n += 1
                    continue
                for step in (-1, 0, 1):
                    ends[n, 0] = row + step
                    ends[n, 1] = column + (2 * side - 1) * (step == 0)
                    # Rows that follow on each other share the middle between them.
                    shared = n > 0 and ends[n - 1, 0] == ends[n, 0]
                    if shared and (ends[n, 1] > ends[n - 1, 1]) == (side == 1):
                        ends[n - 1, 1] = ends[n, 1]
                    n += not shared
            used = _chain(ends, n, 1 - 2 * side, points, used)
    starts[slices, 1] = used
    return points[:used].copy(), starts


@kernel
def _chain(ends: Integers, n: int, sense: int, points: Integers, used: int) -> int:
    """Append the corners of one side of a hull, without repeating the last of the other side."""
    base = used
    for i in range(n):
        at = ends[i if sense > 0 else n - 1 - i]
        if i == 0 and sense < 0 and (points[used - 1] == at).all():
            base -= 1
            continue
        while used - base >= 2:
            p, q = points[used - 2], points[used - 1]
            turn = (q[0] - p[0]) * (at[1] - q[1]) - (q[1] - p[1]) * (at[0] - q[0])
            if turn > 0:
                break
            used -= 1
        points[used, 0], points[used, 1] = at[0], at[1]
        used += 1
    return used


@kernel
def longest(
    points: Integers, starts: Integers, metric: NDArray[np.float64]
) -> tuple[float, NDArray[np.int64]]:
    """The two points of one slice that are furthest apart, over all slices.

    Parameters
    ----------
    points, starts
        From :func:`hulls`.
    metric
        ``(3,)``: squares and twice the product of the steps along rows and columns.

    Returns
    -------
    square
        Of their distance, in the doubled indices.
    where
        ``(3,)``: number of the slice among ``starts``, and of the two points.
    """
    best = -1.0
    where = np.zeros(3, np.int64)
    for s in range(len(starts) - 1):
        for i in range(starts[s, 1], starts[s + 1, 1]):
            for j in range(i + 1, starts[s + 1, 1]):
                r, c = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
                square = metric[0] * r * r + metric[1] * r * c + metric[2] * c * c
                if square > best * (1 + 1e-12):  # of equal ones the first
                    best = square
                    where[0], where[1], where[2] = s, i, j
    return best, where


@kernel
def furthest(points: NDArray[np.float64], starts: Integers) -> tuple[float, int, int]:
    """The two points that are furthest apart, of groups that lie each close together.

    Parameters
    ----------
    points
        ``(n, 3)``: group after group, none empty.
    starts
        ``(groups + 1,)``: where each begins; the last is n.

    Returns
    -------
    square
        Of their distance.
    first, second
        Their numbers.
    """
    groups = len(starts) - 1
    low, high = np.empty((groups, 3)), np.empty((groups, 3))
    for g in range(groups):
        for x in range(3):
            low[g, x] = points[starts[g] : starts[g + 1], x].min()
            high[g, x] = points[starts[g] : starts[g + 1], x].max()
    best, first, second = -1.0, 0, 0
    for apart in range(groups - 1, -1, -1):  # groups far from each other first
        for g in range(groups - apart):
            h = g + apart
            bound = 0.0
            for x in range(3):
                bound += max(high[h, x] - low[g, x], high[g, x] - low[h, x]) ** 2
            if bound <= best:
                continue
            for i in range(starts[g], starts[g + 1]):
                bound = 0.0
                for x in range(3):
                    bound += max(high[h, x] - points[i, x], points[i, x] - low[h, x]) ** 2
                if bound <= best:
                    continue
                for j in range(starts[h], starts[h + 1]):
                    square = 0.0
                    for x in range(3):
                        square += (points[i, x] - points[j, x]) ** 2
                    if square > best * (1 + 1e-12):
                        best, first, second = square, i, j
    return best, min(first, second), max(first, second)
