"""Peaks of a map as points: where, and how high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

__all__ = ["apart", "local_maxima"]

_HALF = 1e-6  # keeps logarithms finite
_COARSE = 0.75  # what the height of a peak is worth that is not of the finest map


def local_maxima(heat: NDArray[Any], threshold: float, distance: float) -> NDArray[np.float64]:
    """Find the highest samples around, to a fraction of a sample.

    Along each axis the top of the parabola through the logarithms of a peak and its two neighbours
    is taken, which is exact for a Gaussian.

    Parameters
    ----------
    heat
        ``(row, column)``, from 0 to 1.
    threshold
        Least height of a peak.
    distance
        Samples within which nothing is higher. Of a plateau its middle counts.

    Returns
    -------
    ndarray
        ``(n, 3)``: row, column, height; the highest first.
    """
    reach = int(np.floor(distance))
    row, column = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    highest = ndimage.maximum_filter(heat, footprint=row**2 + column**2 <= distance**2)
    pieces, count = ndimage.label((heat == highest) & (heat >= threshold), np.ones((3, 3)))
    if not count:
        return np.empty((0, 3))
    middles = ndimage.center_of_mass(pieces > 0, pieces, range(1, count + 1))
    places = np.rint(np.asarray(middles)).astype(int)
    found = np.empty((count, 3))
    found[:, 2] = heat[places[:, 0], places[:, 1]]
    logs = np.log(np.pad(heat, 1, "edge") + _HALF)
    inner = places + 1
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        before, here, after = (logs[tuple((inner + shift * step).T)] for shift in (-1, 0, 1))
        bend = before - 2 * here + after
        top = 0.5 * (before - after) / np.where(bend < 0, bend, -np.inf)
        found[:, axis] = places[:, axis] + np.clip(top, -0.5, 0.5)
    return found[np.argsort(-found[:, 2], kind="stable")]


def apart(found: Sequence[NDArray[np.float64]], reaches: Sequence[float]) -> NDArray[np.float64]:
    """Put peaks of several maps of one picture together, so that none is there twice.

    In a heap all peaks are about as high, and one of a coarse map reaches over several of a finer
    one: it stands for them only if it is clearly higher, by a third.

    Parameters
    ----------
    found
        For each map its peaks, ``(n, 3)``: row and column in the picture, height.
    reaches
        For each map the distance in the picture within which two peaks are the same thing, if one
        of them is of this map and the other of a map with no greater reach.

    Returns
    -------
    ndarray
        ``(n, 3)``, the highest first: of two that are the same thing the higher one, where one of
        a coarse map counts by three quarters of its height.
    """
    points = np.concatenate([np.empty((0, 3)), *found])
    reach = np.repeat(np.asarray(reaches, float), [len(each) for each in found])
    worth = points[:, 2] * np.where(reach > min(reaches), _COARSE, 1.0)
    order = np.argsort(-worth, kind="stable")
    points, reach = points[order], reach[order]
    kept = np.ones(len(points), bool)
    if len(points) < 2:
        return points
    pairs = KDTree(points[:, :2]).query_pairs(float(reach.max()), output_type="ndarray")
    gap = np.hypot(*(points[pairs[:, 0], :2] - points[pairs[:, 1], :2]).T)
    close = pairs[gap <= np.maximum(reach[pairs[:, 0]], reach[pairs[:, 1]])]
    for higher, lower in close[np.lexsort((close[:, 1], close[:, 0]))].tolist():
        kept[lower] &= not kept[higher]
    points = points[kept]
    return points[np.argsort(-points[:, 2], kind="stable")]
