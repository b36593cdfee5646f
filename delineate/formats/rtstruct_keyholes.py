"""Holes drawn as part of the ring around them: one ring with a channel of no width to each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid

__all__ = ["Ring", "keyholes"]

_CHANNELS = 64  # tried before the shortest is taken as it is
_NEAR = 1e-3  # of a sample


class Ring(NamedTuple):
    """A contour: its slice, points in the world ``(n, 3)`` and as ``(row, column)`` ``(n, 2)``."""

    slice_number: int
    points: NDArray[np.float64]
    places: NDArray[np.float64]
    is_hole: bool


def keyholes(rings: Iterable[Ring], grid: Grid) -> list[Ring]:
    """Join each hole to the outer ring before it.

    The channel runs from corner to corner, the shortest way that passes through no sample centre:
    whether what lies on a line is inside is where programs differ. Where there is none, it goes
    along a row and then a column. Holes are turned so that they wind against their outer ring, for
    programs that fill by winding.

    Parameters
    ----------
    rings
        Each outer ring before its holes.
    grid
        Whose samples ``places`` are indices of.
    """
    joined: list[Ring] = []
    for ring in rings:
        if not (ring.is_hole and joined and joined[-1].slice_number == ring.slice_number):
            joined.append(ring._replace(is_hole=False))
            continue
        outer = joined[-1]
        if _normal(outer.points) @ _normal(ring.points) > 0:
            ring = ring._replace(points=ring.points[::-1], places=ring.places[::-1])
        i, j, bend = _channel(outer, ring)
        world = outer.points[i] + (bend - outer.places[i]) @ grid.affine[:3, 1:3].T
        points, places = (
            np.concatenate((a[: i + 1], middle, b[j:], b[: j + 1], middle[::-1], a[i:]))
            for a, b, middle in (
                (outer.points, ring.points, world),
                (outer.places, ring.places, bend),
            )
        )
        joined[-1] = Ring(ring.slice_number, points, places, False)
    return joined


def _channel(outer: Ring, hole: Ring) -> tuple[int, int, NDArray[np.float64]]:
    """The corner of each where the channel ends, and where it bends: ``(0 or 1, 2)``."""
    gaps = np.linalg.norm(outer.points[:, None] - hole.points[None], axis=2).ravel()
    count = min(_CHANNELS, len(gaps))
    nearest = np.argpartition(gaps, count - 1)[:count]
    nearest = nearest[np.lexsort((nearest, gaps[nearest]))]
    pairs = [divmod(int(pair), len(hole.points)) for pair in nearest]
    straight = np.empty((0, 2))
    for i, j in pairs:
        if not _through_centre(outer.places[i], hole.places[j]):
            return i, j, straight
    i, j = pairs[0]
    start, end = outer.places[i], hole.places[j]
    for bend in (np.array([start[0], end[1]]), np.array([end[0], start[1]])):
        if not (_through_centre(start, bend) or _through_centre(bend, end)):
            return i, j, bend[None]
    return i, j, straight


def _through_centre(start: NDArray[np.float64], end: NDArray[np.float64]) -> bool:
    """Whether a line passes through a sample centre, where both indices are whole."""
    along = int(np.argmax(np.abs(end - start)))
    low, high = sorted((float(start[along]), float(end[along])))
    if low == high:
        return bool((np.abs(start - np.rint(start)) < _NEAR).all())
    whole = np.arange(np.ceil(low - _NEAR), np.floor(high + _NEAR) + 1)
    share = (whole - start[along]) / (end[along] - start[along])
    across = start[1 - along] + share * (end[1 - along] - start[1 - along])
    return bool((np.abs(across - np.rint(across)) < _NEAR).any())


def _normal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = points - points[0]
    return np.asarray(np.cross(steps, np.roll(steps, -1, axis=0)).sum(axis=0), np.float64)
