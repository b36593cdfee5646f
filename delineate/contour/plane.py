"""Find the slice in which a contour lies, and its points there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.contour.ring import Contour
from delineate.errors import GeometryError
from delineate.imaging import Grid

__all__ = ["SliceRings", "index_points", "slice_rings"]

_SAME_PLANE = 0.25  # of the slice distance
_DECIMALS = 6  # of a sample: finer than any file format's numbers, coarser than rounding errors


@dataclass(frozen=True, slots=True, eq=False)
class SliceRings:
    """Rings in the indices of a grid, one after the other.

    ``slices`` is ``(m,)``, the slice of each ring; ``starts`` ``(m + 1,)``, where its points begin
    and end in ``points``, ``(n, 2)`` of ``(row, column)``.
    """

    slices: NDArray[np.int64]
    starts: NDArray[np.int64]
    points: NDArray[np.float64]


def index_points(
    contour: Contour, grid: Grid, plane_tolerance_mm: float | None = None
) -> tuple[int, NDArray[np.float64]]:
    """Slice and in-slice indices of a contour, for whoever draws or writes it.

    Parameters
    ----------
    contour
        In the plane of one of the grid's slices.
    grid
        The grid to draw on; need not be the one that the contour was traced on.
    plane_tolerance_mm
        As for :func:`~delineate.contour.fill`.

    Returns
    -------
    slice_number : int
        From 0 to ``grid.shape[0] - 1``.
    points
        ``(n, 2)`` of ``(row, column)``; 0 is the *centre* of the first sample and -0.5 its outer
        edge. A viewer whose pixels begin at 0 adds 0.5. May lie outside the grid.

    Raises
    ------
    GeometryError
        If the contour lies in no slice.
    """
    rings = slice_rings((contour,), grid, plane_tolerance_mm)
    return int(rings.slices[0]), rings.points


def slice_rings(
    contours: Sequence[Contour], grid: Grid, plane_tolerance_mm: float | None = None
) -> SliceRings:
    """Bring contours to the indices of a grid.

    The same world point becomes the same index in every call and in every contour (no matrix
    product, whose rounding depends on the length of the array), and is rounded to a millionth of a
    sample: an edge meant to pass through sample centres does so whatever the affine.

    Raises
    ------
    GeometryError
        If a contour is further than ``plane_tolerance_mm`` (half the slice distance if ``None``)
        from the plane of the nearest slice, if that plane is outside the grid, or if contours of
        different planes have the same nearest slice.
    """
    lengths = np.array([len(contour.points) for contour in contours], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    if not len(contours):
        return SliceRings(lengths, starts, np.empty((0, 2)))
    world = np.concatenate([contour.points for contour in contours])
    inverse = grid.inverse
    with np.errstate(over="ignore", invalid="ignore"):  # absurdly far is refused below
        index = np.stack(
            [
                world[:, 0] * row[0] + world[:, 1] * row[1] + world[:, 2] * row[2] + row[3]
                for row in inverse[:3]
            ],
            axis=1,
        )
        index = np.round(index, _DECIMALS) + 0.0  # + 0.0: no negative zero
        low = np.minimum.reduceat(index[:, 0], starts[:-1])
        high = np.maximum.reduceat(index[:, 0], starts[:-1])
        slices = np.floor((low + high) / 2 + 0.5).astype(np.int64)
    _check_planes(low, high, slices, grid, plane_tolerance_mm)
    return SliceRings(slices, starts, np.ascontiguousarray(index[:, 1:]))


def _check_planes(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    slices: NDArray[np.int64],
    grid: Grid,
    plane_tolerance_mm: float | None,
) -> None:
    distance, unit = grid.slice_distance, grid.unit
    tolerance = 0.5 * distance if plane_tolerance_mm is None else plane_tolerance_mm
    outside = np.flatnonzero((slices < 0) | (slices >= grid.shape[0]))
    if len(outside):
        i = int(outside[0])
        raise GeometryError(
            f"contour {i} lies in the plane of slice {(low[i] + high[i]) / 2:.2f}, but the grid "
            f"has slices 0 to {grid.shape[0] - 1}; it was drawn on another or a longer series "
            f"({len(outside)} of {len(slices)} contours are outside)"
        )
    off = np.maximum(np.abs(low - slices), np.abs(high - slices)) * distance
    far = np.flatnonzero(off > tolerance + 1e-6 * distance)
    if len(far):
        i = int(far[0])
        raise GeometryError(
            f"contour {i} is up to {off[i]:.3f} {unit} from the plane of the nearest slice "
            f"({slices[i]}), more than the tolerance of {tolerance:.3f} {unit}; it is not parallel "
            "to the slices or was drawn on another series"
        )
    order = np.lexsort((low + high, slices))
    middle = (low + high)[order] / 2
    same = slices[order][1:] == slices[order][:-1]
    apart = np.flatnonzero(same & (np.diff(middle) > _SAME_PLANE))
    if len(apart):
        at = int(apart[0])
        i, j, gap = order[at], order[at + 1], (middle[at + 1] - middle[at]) * distance
        raise GeometryError(
            f"contours {i} and {j} are {gap:.3f} {unit} apart, but both are nearest to slice "
            f"{slices[i]}; they were drawn on slices closer than this grid's {distance:.3f} {unit}"
        )
