"""Contours of parallel planes in coordinates of their planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.contour.plane import slice_rings
from delineate.contour.ring import Contour
from delineate.errors import GeometryError
from delineate.imaging import Grid

__all__ = ["Flat", "flatten"]

_SAME_PLANE = 1e-3  # mm or px


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Rings in the plane, those of one plane together, one after the other.

    Parameters
    ----------
    points
        ``(n, 2)``: along the rows of ``axes`` from ``origin``.
    starts
        ``(m + 1,)``: where the points of each ring begin and end.
    planes
        ``(p + 1,)``: where the rings of each plane begin and end.
    order
        ``(m,)``: which contour each ring is.
    heights
        ``(m,)``: of each ring along the normal from ``origin``.
    spread
        How far points are out of their plane, at most.
    origin, axes
        ``(3,)``; ``(3, 3)``, rows of length one: two in the plane and its normal.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    planes: NDArray[np.int64]
    order: NDArray[np.int64]
    heights: NDArray[np.float64]
    spread: float
    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    def to_world(
        self, points: NDArray[np.float64], starts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """World positions ``(k, 3)`` of other points ``(k, 2)`` of the same rings."""
        heights = np.repeat(self.heights, np.diff(starts))
        return _sum(np.column_stack((points, heights)), self.axes) + self.origin

    def to_index(
        self, contours: Sequence[Contour], grid: Grid
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix ``(2, 2)`` and shift of each plane ``(p, 2)`` to ``(row, column)`` of a grid.

        Raises
        ------
        GeometryError
            If a contour lies in no slice of the grid.
        """
        slice_rings(contours, grid)
        inverse = grid.inverse[1:3]
        first = self.planes[:-1]
        places = self.origin + self.heights[first, None] * self.axes[2]
        return inverse[:, :3] @ self.axes[:2].T, places @ inverse[:, :3].T + inverse[:, 3]


def flatten(contours: Sequence[Contour]) -> Flat:
    """Bring contours into their planes; at least one.

    Raises
    ------
    GeometryError
        If they do not lie in parallel planes, or none encloses an area.
    """
    lengths = np.array([len(contour.points) for contour in contours])
    firsts = np.cumsum(lengths) - lengths
    world = np.concatenate([contour.points for contour in contours])
    origin = world[0].copy()
    axes = _axes(world - origin, firsts)
    flat = _sum(world - origin, axes.T)
    low = np.minimum.reduceat(flat[:, 2], firsts)
    high = np.maximum.reduceat(flat[:, 2], firsts)
    heights = (low + high) / 2
    order = np.argsort(heights, kind="stable")
    lengths = lengths[order]
    planes = np.flatnonzero(np.diff(heights[order], prepend=-np.inf) > _SAME_PLANE)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    numbers = np.repeat(firsts[order] - starts[:-1], lengths) + np.arange(len(flat))
    return Flat(
        np.ascontiguousarray(flat[numbers, :2]),
        starts,
        np.append(planes, len(order)),
        order,
        heights[order],
        float((high - low).max()),
        origin,
        axes,
    )


def _sum(points: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``points @ rows``, but the same point always becomes the same: rings that touch still do."""
    total: NDArray[np.float64] = points[:, :1] * rows[0] + points[:, 1:2] * rows[1]
    total += points[:, 2:] * rows[2]
    return total


def _axes(points: NDArray[np.float64], firsts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two directions in the plane of the ring that encloses most, and its normal."""
    after = np.arange(1, len(points) + 1)
    after[np.append(firsts[1:], len(points)) - 1] = firsts
    around = np.repeat(points[firsts], np.diff(np.append(firsts, len(points))), axis=0)
    areas = np.add.reduceat(np.cross(points - around, points[after] - around), firsts)
    sizes = np.linalg.norm(areas, axis=1)
    largest = int(sizes.argmax())
    if not sizes[largest] > 0:
        raise GeometryError("expected contours that enclose an area, got none that does")
    normal = areas[largest] / sizes[largest]
    normal *= np.sign(normal[np.abs(normal).argmax()])
    beside = np.zeros(3)
    beside[np.abs(normal).argmin()] = 1.0
    first = np.cross(beside, normal)
    first /= np.linalg.norm(first)
    return np.stack((first, np.cross(normal, first), normal))
