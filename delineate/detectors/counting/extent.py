"""How large the thing around a point is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

__all__ = ["lengths"]

_LEAST_CONTRAST = 18.0  # of 255: less is not told from the background
_NEAR = 3.0  # pixels from a point within which its thing must begin


def lengths(
    pixels: NDArray[np.uint8], points: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Length of the thing at each point, in pixels.

    Around a point, the background is the median of each colour, and what differs from it by more
    than half of the middle's contrast belongs to the thing, as far as it hangs together and no
    other point is nearer. Thin parts (legs, feelers) are taken off by an opening. The length is
    that of the ellipse with the same second moments, ``4 * sqrt(largest eigenvalue)``.

    Parameters
    ----------
    pixels
        ``(row, column, 3)``.
    points
        ``(n, 2)``: row and column.
    reach
        How far from its point a thing may extend, in pixels.

    Returns
    -------
    ndarray
        ``(n,)``; the size of one pixel for what cannot be told from its background.
    """
    if not len(points):
        return np.empty(0)
    far = int(np.ceil(reach))
    tree = KDTree(points)
    found = np.empty(len(points))
    for number, point in enumerate(points):
        row, column = np.rint(point).astype(int)
        low = np.maximum((row - far, column - far), 0)
        box = pixels[low[0] : row + far + 1, low[1] : column + far + 1].astype(np.float32)
        places = np.moveaxis(np.indices(box.shape[:2]), 0, -1) + low
        own = tree.query(places.reshape(-1, 2))[1].reshape(box.shape[:2]) == number
        found[number] = _length(box, own, point - low)
    return found


def _length(box: NDArray[np.float32], own: NDArray[np.bool_], point: NDArray[np.float64]) -> float:
    differs = np.abs(box - np.median(box, axis=(0, 1))).max(axis=2)
    distance = np.hypot(*(np.indices(own.shape) - point[:, None, None]))
    contrast = float(np.percentile(differs[distance <= _NEAR], 75))
    if contrast < _LEAST_CONTRAST:
        return 1.0
    thing = own & (differs > contrast / 2)
    opened = ndimage.binary_opening(thing)
    thing = opened if opened[distance <= _NEAR].any() else thing
    pieces, _ = ndimage.label(thing, np.ones((3, 3)))
    nearest = np.unravel_index(int(np.argmin(np.where(thing, distance, np.inf))), thing.shape)
    member = np.argwhere(pieces == pieces[nearest])
    # A pixel is as wide as one: a single one has the variance 1/12 along each axis.
    spread = np.cov(member.T, bias=True) + np.eye(2) / 12 if len(member) > 1 else np.eye(2) / 12
    return float(4 * np.sqrt(np.linalg.eigvalsh(spread)[-1]))
