"""Contours with fewer points, or without their steps, and a bound on what that costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.contour.flatten import Flat, flatten
from delineate.contour.ring import Contour, unchecked
from delineate.errors import GeometryError
from delineate.imaging import Grid

__all__ = ["simplify", "smooth"]

_FOR_THINNING = 0.1  # part of the tolerance of smooth
_ROUNDING = 1e-9  # part of the tolerance that is left to it


def simplify(
    contours: Sequence[Contour], tolerance_mm: float, exact_on: Grid | None = None
) -> tuple[Contour, ...]:
    """Leave out points of contours as long as they stay where they are, to within a tolerance.

    Parameters
    ----------
    contours
        Of one structure, in parallel planes, in any order.
    tolerance_mm
        Greater than 0 (px for contours in pixels). The Hausdorff distance of each contour to what
        it was, of all the points along its edges and both ways, is never more; nor is it more than
        the contour's area divided by its perimeter (half the radius of a disc), so that small
        things keep their shape.
    exact_on
        A grid in whose slices the contours lie. No edge passes over a sample centre of it:
        :func:`~delineate.contour.fill` gives the same samples before and after, whatever the
        tolerance.

    Returns
    -------
    tuple of Contour
        As many, in the same order. Points are some of those that were there; at least three.

    Raises
    ------
    GeometryError
        If the contours do not lie in parallel planes, none encloses an area, or one lies in no
        slice of ``exact_on``.

    Notes
    -----
    Each edge reaches as far round its ring as all the points that it replaces are near enough. A
    point is dropped only if the triangle of it and its neighbours holds no other point of the
    plane: points stay on their side of the lines, as in [1]_. So, if no contour met itself and
    any two met at common points at most, it is so afterwards: none crosses another, holes stay
    inside, none turns over or vanishes. Where that takes more points, there are more.

    Structures are looked at one by one: a border that two share may differ by the tolerance.

    References
    ----------
    .. [1] de Berg, van Kreveld and Schirra, "Topologically correct subdivision simplification
       using the bandwidth criterion", Cartography and Geographic Information Systems 25(4), 1998,
       doi:10.1559/152304098782383007
    """
    if not len(contours):
        return ()
    from delineate.contour.reshape_kernel import thin_points  # numba is slow to import

    flat = flatten(contours)
    rooms = _rooms(flat, tolerance_mm)
    centres = _centres(flat, contours, exact_on)
    keep = thin_points(flat.points, flat.starts, flat.planes, rooms, *centres)
    world = np.concatenate([contours[number].points for number in flat.order.tolist()])[keep]
    starts = np.concatenate(([0], np.cumsum(keep)))[flat.starts]
    return _as_they_were(world, starts, flat, contours)


def smooth(
    contours: Sequence[Contour], tolerance_mm: float, exact_on: Grid | None = None
) -> tuple[Contour, ...]:
    """Take the steps out of contours, none of which moves further than a tolerance.

    Parameters
    ----------
    contours, tolerance_mm, exact_on
        As for :func:`simplify`. Half the diagonal of a sample is enough for the steps of voxel
        edges; with less than half the spacing, on a grid at right angles, no contour of voxel
        edges comes over a sample centre, with or without ``exact_on``.

    Returns
    -------
    tuple of Contour
        As many, in the same order, in the same planes. Points are new ones.

    Raises
    ------
    GeometryError
        As for :func:`simplify`.

    Notes
    -----
    Edges are cut into short ones. Their ends go where Taubin's filter has them [1]_, which does
    not shrink what is larger than some ten of them, but stay within nine tenths of the tolerance
    of where they were; then :func:`simplify` drops what one tenth allows. A point stops short
    where it or its edges would meet others: contours keep apart as they do in :func:`simplify`.

    References
    ----------
    .. [1] Taubin, "Curve and surface smoothing without shrinkage", ICCV 1995,
       doi:10.1109/ICCV.1995.466848
    """
    if not len(contours):
        return ()
    from delineate.contour.reshape_kernel import move_points, thin_points  # numba: slow to import
    from delineate.contour.smooth_kernel import divide, relax

    flat = flatten(contours)
    rooms = _rooms(flat, tolerance_mm)
    to_move, to_thin = (1.0 - _FOR_THINNING) * rooms, _FOR_THINNING * rooms
    centres = _centres(flat, contours, exact_on)
    points, starts = divide(flat.points, flat.starts, to_move)
    aims = relax(points, starts, to_move)
    points = move_points(points, aims, starts, flat.planes, *centres)
    keep = thin_points(points, starts, flat.planes, to_thin, *centres)
    starts = np.concatenate(([0], np.cumsum(keep)))[starts]
    return _as_they_were(flat.to_world(points[keep], starts), starts, flat, contours)


def _as_they_were(
    world: NDArray[np.float64],
    starts: NDArray[np.int64],
    flat: Flat,
    contours: Sequence[Contour],
) -> tuple[Contour, ...]:
    """New contours in the order of the old."""
    world.setflags(write=False)
    found = list(contours)
    ends = starts.tolist()
    for ring, number in enumerate(flat.order.tolist()):
        points = world[ends[ring] : ends[ring + 1]]
        found[number] = unchecked(points, contours[number].is_hole)
    return tuple(found)


def _rooms(flat: Flat, tolerance_mm: float) -> NDArray[np.float64]:
    """How far the points of each ring may go in the plane: ``(m,)``."""
    if not 0.0 < tolerance_mm < math.inf:
        raise ValueError(f"expected a tolerance_mm greater than 0, got {tolerance_mm}")
    if flat.spread > 0.5 * tolerance_mm:
        raise GeometryError(
            f"points of a contour are up to {flat.spread:.3g} out of one plane, more than half of "
            f"the tolerance of {tolerance_mm:.3g}; the contours are not in parallel planes, or "
            "their coordinates are too coarse for such a tolerance"
        )
    room = math.sqrt(tolerance_mm**2 - flat.spread**2) * (1.0 - _ROUNDING)
    firsts, after = flat.starts[:-1], np.arange(1, len(flat.points) + 1)
    after[flat.starts[1:] - 1] = firsts
    (x, y), (dx, dy) = flat.points.T, (flat.points[after] - flat.points).T
    areas = np.abs(np.add.reduceat(x * dy - y * dx, firsts)) / 2
    around = np.add.reduceat(np.hypot(dx, dy), firsts)
    return np.minimum(room, areas / np.maximum(around, np.finfo(float).tiny))


def _centres(
    flat: Flat, contours: Sequence[Contour], grid: Grid | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if grid is None:
        return np.eye(2), np.empty((0, 2))
    matrix, shifts = flat.to_index(contours, grid)
    return np.ascontiguousarray(matrix), shifts
