"""Marks in the world, as files and results have them, as things on a grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from delineate.contour import Contour
from delineate.imaging import Category, Grid
from delineate.plugins.outputs import Instance, Instances

__all__ = ["Marked", "instances"]

Triple = tuple[float, float, float]


class Marked(Protocol):
    """One thing: a point, a box or contours in the world, ``(x, y, z)``."""

    @property
    def category(self) -> Category:
        """What it is."""

    @property
    def score(self) -> float | None:
        """Confidence from 0 to 1, if it is said."""

    @property
    def point(self) -> Triple | None:
        """Where it is."""

    @property
    def box(self) -> tuple[Triple, Triple] | None:
        """Opposite corners; faces."""

    @property
    def contours(self) -> Sequence[Contour]:
        """Its outlines."""


def instances(marks: Iterable[Marked], grid: Grid) -> Instances:
    """Marks in the world as things on a grid, in their order.

    Of several outlines the first that is no hole is taken. A thing without a score has 1.
    """
    items = []
    for mark in marks:
        outer = next((ring for ring in mark.contours if not ring.is_hole), None)
        corners = None if mark.box is None else grid.to_index(mark.box)
        items.append(
            Instance(
                mark.category,
                1.0 if mark.score is None else mark.score,
                None if mark.point is None else _triple(grid.to_index(mark.point).tolist()),
                None
                if corners is None
                else (
                    _triple(corners.min(axis=0).tolist()),
                    _triple(corners.max(axis=0).tolist()),
                ),
                None if outer is None else grid.to_index(outer.points),
            )
        )
    return Instances(tuple(items), grid)


def _triple(values: Sequence[float]) -> Triple:
    x, y, z = values
    return float(x), float(y), float(z)
