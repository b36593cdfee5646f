"""Which thing of a prediction is which thing of a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.plugins.outputs import Instance

__all__ = ["Matches", "boxed", "match", "nearness", "overlaps", "positions"]

Matches = NDArray[np.int64]


def match(likeness: NDArray[np.float64], least: float) -> Matches:
    """Partners, one to one, as many as can be and among these the likest.

    Parameters
    ----------
    likeness
        ``(prediction, reference)``; greater is likelier.
    least
        Pairs below it are no partners.

    Returns
    -------
    ndarray of int64
        ``(prediction,)``: the place of the partner in the reference, -1 for none.

    Notes
    -----
    A maximum-weight matching (Crouse, IEEE Trans. Aerosp. Electron. Syst. 52, 2016, as scipy has
    it) where every pair that is allowed weighs more than all differences in likeness together.
    """
    from scipy.optimize import linear_sum_assignment

    partners = np.full(likeness.shape[0], -1, np.int64)
    if not likeness.size:
        return partners
    allowed = likeness >= least
    span = float(np.ptp(likeness[allowed])) if allowed.any() else 0.0
    weight = np.where(allowed, 1.0 + _relative(likeness, least, span, min(likeness.shape)), 0.0)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    good = allowed[rows, columns]
    partners[rows[good]] = columns[good]
    return partners


def _relative(
    likeness: NDArray[np.float64], least: float, span: float, pairs: int
) -> NDArray[np.float64]:
    """Likeness above the least, so small that all pairs together stay below one."""
    if span <= 0:
        return np.zeros_like(likeness)
    relative: NDArray[np.float64] = (likeness - least) / (span + (likeness.max() - least))
    return relative / (2 * pairs)


def nearness(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances with a minus, ``(len(one), len(two))``; points are ``(n, 3)`` in the world."""
    return -np.asarray(np.linalg.norm(one[:, None] - two[None], axis=2), np.float64)


def positions(items: Sequence[Instance]) -> NDArray[np.float64]:
    """Where things are, ``(n, 3)`` indices: the point, else the middle of box or polygon."""
    places = []
    for item in items:
        if item.point is not None:
            places.append(np.asarray(item.point, float))
        else:
            low, high = boxed(item)
            places.append((low + high) / 2)
    return np.array(places).reshape(-1, 3)


def boxed(item: Instance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest corner of a thing that has a box or a polygon."""
    if item.box is not None:
        one, two = (np.asarray(corner, float) for corner in item.box)
        return np.minimum(one, two), np.maximum(one, two)
    assert item.polygon is not None
    return item.polygon.min(axis=0), item.polygon.max(axis=0)


def overlaps(one: Sequence[Instance], two: Sequence[Instance]) -> NDArray[np.float64]:
    """Intersection over union, ``(len(one), len(two))``: of polygons where both have one.

    Those are filled on a raster, which is right to about one in a hundred. Else of boxes, by
    volume, or by area where they are flat. Things without extent overlap by nothing.
    """
    found = np.zeros((len(one), len(two)))
    for i, first in enumerate(one):
        for j, second in enumerate(two):
            found[i, j] = _overlap(first, second)
    return found


def _overlap(one: Instance, two: Instance) -> float:
    if any(item.box is None and item.polygon is None for item in (one, two)):
        return 0.0
    (low, high), (lower, higher) = boxed(one), boxed(two)
    sides = np.minimum(high, higher) - np.maximum(low, lower)
    extents = np.maximum(high, higher) - np.minimum(low, lower)
    deep = extents > 0
    if (sides[deep] <= 0).any() or not deep.any():
        return 0.0
    if one.polygon is not None and two.polygon is not None:
        return _polygons(one.polygon, two.polygon)
    both = float(np.prod(sides[deep]))
    whole = sum(float(np.prod((b - a)[deep])) for a, b in ((low, high), (lower, higher))) - both
    return both / whole


def _polygons(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Of two polygons in one slice, by filling both on a raster of a 256th of their extent."""
    from skimage.draw import polygon2mask

    points = np.concatenate([one, two])[:, 1:]
    low, extent = points.min(axis=0), float(np.ptp(points, axis=0).max())
    step = extent / 256
    shape = tuple(np.ceil(np.ptp(points, axis=0) / step).astype(int) + 1)
    first, second = (polygon2mask(shape, (ring[:, 1:] - low) / step - 0.5) for ring in (one, two))
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 0.0
