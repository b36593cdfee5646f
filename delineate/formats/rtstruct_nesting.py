"""Which rings of a slice are holes of which, where a file does not say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour
from delineate.contour.ring import unchecked

__all__ = ["nested"]

_SAME_PLANE_MM = 0.01


def nested(rings: list[NDArray[np.float64]]) -> tuple[tuple[Contour, ...], int]:
    """Order rings by plane, and find those that are holes.

    Parameters
    ----------
    rings
        Each ``(n, 3)``, n >= 3, finite, in parallel planes; rings within 0.01 mm lie in one.

    Returns
    -------
    contours
        From the lowest plane along the rings' normal to the highest, each outer ring before its
        holes. A ring within an odd number of others is a hole.
    crossing
        How many pairs of rings of one plane cross each other, so that neither lies in the other.
    """
    if not rings:
        return (), 0
    from delineate.formats.nesting_kernel import crossing, nesting  # numba is slow to import

    normal = _normal(rings)
    planes = _planes(rings, normal)
    order = np.argsort(planes, kind="stable")
    planes, rings = planes[order], [rings[i] for i in order]
    axes = [axis for axis in range(3) if axis != int(np.abs(normal).argmax())]
    flat = np.ascontiguousarray(np.concatenate(rings)[:, axes])
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    depths, parents = nesting(flat, starts, planes)
    outer = np.where(depths % 2 == 0, np.arange(len(rings)), parents)
    contours = []
    for i in np.lexsort((depths % 2, outer, planes)).tolist():
        rings[i].setflags(write=False)
        contours.append(unchecked(rings[i], bool(depths[i] % 2)))
    return tuple(contours), crossing(flat, starts, planes)


def _planes(rings: list[NDArray[np.float64]], normal: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the plane of each ring, ascending along the normal."""
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    heights = np.add.reduceat(np.concatenate(rings) @ normal, starts[:-1]) / np.diff(starts)
    order = np.argsort(heights, kind="stable")
    planes = np.empty(len(rings), np.int64)
    planes[order] = np.cumsum(np.diff(heights[order], prepend=heights[order[0]]) > _SAME_PLANE_MM)
    return planes


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
