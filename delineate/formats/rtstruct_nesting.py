"""Which rings of a slice are holes of which, where a file does not say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour

__all__ = ["nested"]


def nested(rings: list[NDArray[np.float64]]) -> tuple[Contour, ...]:
    """Order rings by plane, and find those that are holes.

    Parameters
    ----------
    rings
        Each ``(n, 3)``, n >= 3, in parallel planes; rings within 0.01 mm lie in one.

    Returns
    -------
    tuple of Contour
        From the lowest plane along the rings' normal to the highest, each outer ring before its
        holes. A ring within an odd number of others is a hole.
    """
    if not rings:
        return ()
    normal = _normal(rings)
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    heights = np.add.reduceat(np.concatenate(rings) @ normal, starts[:-1]) / np.diff(starts)
    planes = np.round(heights, 2)
    found: list[Contour] = []
    for plane in np.unique(planes):
        members = [rings[i] for i in np.flatnonzero(planes == plane)]
        parents = _parents(members, normal)
        outer = [i for i, around in enumerate(parents) if len(around) % 2 == 0]
        for i in outer:
            found.append(Contour(members[i]))
            depth = len(parents[i])
            found += [
                Contour(members[j], True)
                for j, around in enumerate(parents)
                if i in around and len(around) == depth + 1
            ]
    return tuple(found)


def _normal(rings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Unit normal of a ring with many points, pointing to the head where it can."""
    for ring in sorted(rings, key=len, reverse=True):
        steps = ring - ring[0]
        vector = np.cross(steps, np.roll(steps, -1, axis=0)).sum(axis=0)
        length = float(np.linalg.norm(vector))
        if length > 0:
            unit: NDArray[np.float64] = vector / length
            return unit if unit[int(np.abs(unit).argmax())] > 0 else -unit
    return np.array([0.0, 0.0, 1.0])


def _parents(rings: list[NDArray[np.float64]], normal: NDArray[np.float64]) -> list[list[int]]:
    """For each ring of a plane, the rings around it."""
    if len(rings) == 1:
        return [[]]
    axes = [axis for axis in range(3) if axis != int(np.abs(normal).argmax())]
    flat = [ring[:, axes] for ring in rings]
    lows, highs = np.array([r.min(axis=0) for r in flat]), np.array([r.max(axis=0) for r in flat])
    found = []
    for i, ring in enumerate(flat):
        probe = (ring[0] + ring[1]) / 2  # rings may meet in corners, seldom along an edge
        near = ((lows <= probe) & (probe <= highs)).all(axis=1)
        found.append([int(j) for j in np.flatnonzero(near) if j != i and _holds(flat[j], probe)])
    return found


def _holds(ring: NDArray[np.float64], point: NDArray[np.float64]) -> bool:
    a, b = ring, np.roll(ring, -1, axis=0)
    crosses = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    a, b = a[crosses], b[crosses]
    x = a[:, 0] + (point[1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return bool((x > point[0]).sum() % 2)
