"""Things found one by one: a point, a box or an outline each, and a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour
from delineate.errors import GeometryError
from delineate.imaging import Category, Grid

__all__ = ["Mark", "slice_box", "slice_point"]

Triple = tuple[float, float, float]
_DECIMALS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One thing among many; has a point, a box, contours or several of these.

    Parameters
    ----------
    number
        Unique within one file, 1 or more.
    category
        What it is.
    score
        Confidence from 0 to 1; ``None``: not said.
    point
        World position ``(x, y, z)``.
    box
        World positions of two opposite corners of a box along the axes of the grid; faces, so a
        box around one sample reaches half a sample to each side.
    contours
        Its outlines, each in one slice.
    """

    number: int
    category: Category
    score: float | None = None
    point: Triple | None = None
    box: tuple[Triple, Triple] | None = None
    contours: tuple[Contour, ...] = ()

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"expected a number from 1 on, got {self.number}")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"expected a score from 0 to 1, got {self.score}")
        if self.point is None and self.box is None and not self.contours:
            raise ValueError("a mark needs a point, a box or contours")


def slice_point(point: Triple, grid: Grid) -> tuple[int, NDArray[np.float64]]:
    """The slice nearest to a world point, and ``(row, column)`` in it.

    Raises
    ------
    GeometryError
        If the point lies before the first slice or behind the last one.
    """
    index = np.round(grid.to_index(point), _DECIMALS) + 0.0
    return _slice(float(index[0]), grid, "point"), index[1:]


def slice_box(
    box: tuple[Triple, Triple], grid: Grid
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """The middle slice of a box, and its lowest and highest ``(row, column)`` there.

    A format of flat boxes holds no more of it.

    Raises
    ------
    GeometryError
        If the box lies before the first slice or behind the last one.
    """
    corners = np.round(grid.to_index(box), _DECIMALS) + 0.0
    low, high = corners.min(axis=0), corners.max(axis=0)
    return _slice(float((low[0] + high[0]) / 2), grid, "box"), low[1:], high[1:]


def _slice(place: float, grid: Grid, what: str) -> int:
    number = int(np.floor(place + 0.5))
    if not 0 <= number < grid.shape[0]:
        raise GeometryError(
            f"a {what} lies at slice {place:.2f}, but the grid has slices 0 to "
            f"{grid.shape[0] - 1}; it was found on another image"
        )
    return number
