"""Which rings of a plane lie in which; see :mod:`delineate.formats.rtstruct_nesting`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["crossing", "nesting"]

Points = NDArray[np.float64]
Numbers = NDArray[np.int64]


@kernel
def nesting(points: Points, starts: Numbers, planes: Numbers) -> tuple[Numbers, Numbers]:
    """How many rings surround each ring of its plane, and which is the innermost of them.

    Parameters
    ----------
    points
        ``(n, 2)``, ring after ring.
    starts
        ``(m + 1,)``: where each ring begins and ends in ``points``.
    planes
        ``(m,)``, ascending.

    Returns
    -------
    depths, parents
        ``(m,)`` each; the parent of what nothing surrounds is -1.
    """
    count = len(planes)
    depths, parents = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    low, high = _boxes(points, starts)
    first = 0
    while first < count:
        stop = first
        while stop < count and planes[stop] == planes[first]:
            stop += 1
        if stop - first > 1:
            for turn in range(2):  # depths, then parents, which need them
                for i in range(first, stop):
                    if turn == 1 and depths[i] == 0:
                        continue
                    a = starts[i]  # rings may meet in corners, seldom along an edge
                    r = (points[a, 0] + points[a + 1, 0]) / 2
                    c = (points[a, 1] + points[a + 1, 1]) / 2
                    for j in range(first, stop):
                        beside = r < low[j, 0] or r > high[j, 0] or c < low[j, 1] or c > high[j, 1]
                        if j == i or beside or (turn == 1 and depths[j] != depths[i] - 1):
                            continue
                        if _holds(points, starts[j], starts[j + 1], r, c):
                            if turn == 0:
                                depths[i] += 1
                            else:
                                parents[i] = j
        first = stop
    return depths, parents


@kernel
def crossing(points: Points, starts: Numbers, planes: Numbers) -> int:
    """How many pairs of rings of one plane cross each other; those that only touch do not.

    Parameters as for :func:`nesting`.
    """
    low, high = _boxes(points, starts)
    found = 0
    for i in range(len(planes)):
        for j in range(i + 1, len(planes)):
            if planes[j] != planes[i]:
                break
            if (
                low[i, 0] < high[j, 0]
                and low[j, 0] < high[i, 0]
                and low[i, 1] < high[j, 1]
                and low[j, 1] < high[i, 1]
            ):
                found += _cross(points, starts, i, j, low, high)
    return found


@kernel
def _cross(points: Points, starts: Numbers, i: int, j: int, low: Points, high: Points) -> bool:
    near = np.empty((starts[j + 1] - starts[j], 4))  # edges of j in the box of i
    count, b = 0, starts[j + 1] - 1
    for a in range(starts[j], starts[j + 1]):
        outside = False
        for axis in range(2):
            p, q = points[a, axis], points[b, axis]
            outside |= max(p, q) < low[i, axis] or min(p, q) > high[i, axis]
        if not outside:
            near[count, 0], near[count, 1] = points[b, 0], points[b, 1]
            near[count, 2], near[count, 3] = points[a, 0], points[a, 1]
            count += 1
        b = a
    b = starts[i + 1] - 1
    for a in range(starts[i], starts[i + 1]):
        r0, c0, r1, c1 = points[b, 0], points[b, 1], points[a, 0], points[a, 1]
        b = a
        for k in range(count):
            s0, d0, s1, d1 = near[k, 0], near[k, 1], near[k, 2], near[k, 3]
            if max(s0, s1) <= min(r0, r1) or min(s0, s1) >= max(r0, r1):
                continue
            one = (r1 - r0) * (d0 - c0) - (c1 - c0) * (s0 - r0)
            two = (r1 - r0) * (d1 - c0) - (c1 - c0) * (s1 - r0)
            three = (s1 - s0) * (c0 - d0) - (d1 - d0) * (r0 - s0)
            four = (s1 - s0) * (c1 - d0) - (d1 - d0) * (r1 - s0)
            if one * two < -1e-12 and three * four < -1e-12:  # mm to the fourth power
                return True
    return False


@kernel
def _boxes(points: Points, starts: Numbers) -> tuple[Points, Points]:
    count = len(starts) - 1
    low, high = np.empty((count, 2)), np.empty((count, 2))
    for i in range(count):
        for axis in range(2):
            low[i, axis] = high[i, axis] = points[starts[i], axis]
            for k in range(starts[i] + 1, starts[i + 1]):
                low[i, axis] = min(low[i, axis], points[k, axis])
                high[i, axis] = max(high[i, axis], points[k, axis])
    return low, high


@kernel
def _holds(points: Points, start: int, stop: int, r: float, c: float) -> bool:
    inside, b = False, stop - 1
    for a in range(start, stop):
        r0, r1 = points[b, 0], points[a, 0]
        if (r0 > r) != (r1 > r):
            c0, c1 = points[b, 1], points[a, 1]
            if c0 + (r - r0) / (r1 - r0) * (c1 - c0) > c:
                inside = not inside
        b = a
    return inside
