"""Where the points of smooth rings would be; see :func:`delineate.contour.smooth`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["divide", "relax"]

Points = NDArray[np.float64]
Numbers = NDArray[np.int64]

_PASSES = 30
_SHRINK, _SWELL = 0.5, -0.5128  # Taubin's lambda and mu: what is longer than 20 points stays


@kernel
def divide(points: Points, starts: Numbers, rooms: Points) -> tuple[Points, Numbers]:
    """Cut edges into pieces about as long as the shortest of all, or the ring's room if longer.

    Takes and gives rings one after the other: points ``(n, 2)`` and starts ``(m + 1,)``; ``rooms``
    is ``(m,)``.
    """
    lengths = np.empty(len(points))
    for m in range(len(starts) - 1):
        j = starts[m + 1] - 1
        for i in range(starts[m], starts[m + 1]):
            lengths[j] = np.hypot(points[i, 0] - points[j, 0], points[i, 1] - points[j, 1])
            j = i
    shortest = lengths.min()
    pieces = np.ones(len(points), np.int64)
    divided_starts = np.zeros_like(starts)
    for m in range(len(starts) - 1):
        around = lengths[starts[m] : starts[m + 1]].sum()
        piece = max(min(max(rooms[m], shortest), around / 24), around / 10000)
        total = 0
        for i in range(starts[m], starts[m + 1]):
            if lengths[i] > piece:
                pieces[i] = int(np.ceil(lengths[i] / piece - 1e-6))
            total += pieces[i]
        divided_starts[m + 1] = divided_starts[m] + total
    divided = np.empty((divided_starts[-1], 2))
    n = 0
    for m in range(len(starts) - 1):
        for i in range(starts[m], starts[m + 1]):
            j = i + 1 if i + 1 < starts[m + 1] else starts[m]
            for piece in range(pieces[i]):
                part = piece / pieces[i]
                divided[n] = points[i] + part * (points[j] - points[i])
                n += 1
    return divided, divided_starts


@kernel
def relax(points: Points, starts: Numbers, rooms: Points) -> Points:
    """Where Taubin's filter has the points, none further from its place than its ring's room."""
    now, then = points.copy(), points.copy()
    for step in range(2 * _PASSES):
        weight = 0.5 * (_SHRINK if step % 2 == 0 else _SWELL)
        for m in range(len(starts) - 1):
            first, last = starts[m], starts[m + 1] - 1
            for i in range(first, last + 1):
                before = i - 1 if i > first else last
                after = i + 1 if i < last else first
                for axis in range(2):
                    bend = now[before, axis] + now[after, axis] - 2.0 * now[i, axis]
                    then[i, axis] = now[i, axis] + weight * bend
                if step % 2 == 1:
                    _hold(then, points, i, rooms[m])
        now, then = then, now
    return now


@kernel
def _hold(moved: Points, places: Points, i: int, room: float) -> None:
    """Pull point ``i`` back to within ``room`` of its place."""
    dx, dy = moved[i, 0] - places[i, 0], moved[i, 1] - places[i, 1]
    far = dx * dx + dy * dy
    if far > room * room:
        part = room / np.sqrt(far)
        moved[i, 0], moved[i, 1] = places[i, 0] + part * dx, places[i, 1] + part * dy
