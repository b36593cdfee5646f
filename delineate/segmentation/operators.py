"""Sampling along one axis as a matrix: what is linear and separable is three products.

A row holds the weights of the old samples in one new sample. Rows are nearly empty far from their
place, so a slab of new samples needs a slab of old ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

__all__ = ["averaging", "cubic", "linear", "nearest", "reach"]

Matrix = NDArray[np.float32]

_NEGLIGIBLE = 1e-8
_PREFILTER_REACH = 12  # samples that scipy repeats at each end before it fits splines


def nearest(places: NDArray[np.float64], count: int) -> Matrix:
    """Take the old sample nearest to each place; halves go up, as scipy rounds them.

    Parameters
    ----------
    places
        Indices of the old samples, fractions allowed; those beyond the ends count as the ends.
    count
        Old samples.

    Returns
    -------
    ndarray
        float32 ``(new, old)``.
    """
    out = np.zeros((len(places), count), np.float32)
    old = np.clip(np.floor(places + 0.5).astype(int), 0, count - 1)
    out[np.arange(len(places)), old] = 1.0
    return out


def linear(places: NDArray[np.float64], count: int) -> Matrix:
    """Interpolate between the two neighbours; parameters as of `nearest`."""
    out = np.zeros((len(places), count))
    clamped = np.clip(places, 0, count - 1)
    low = np.minimum(clamped.astype(int), max(0, count - 2))
    share = clamped - low
    rows = np.arange(len(places))
    out[rows, low] = 1.0 - share
    out[rows, np.minimum(low + 1, count - 1)] += share
    return out.astype(np.float32)


def averaging(places: NDArray[np.float64], count: int, block: int) -> Matrix:
    """Interpolate between the means of whole blocks, the last of which may be short."""
    block = max(1, min(block, count))
    blocks = -(-count // block)
    means = np.zeros((blocks, count))
    for number in range(blocks):
        part = slice(number * block, min(count, (number + 1) * block))
        means[number, part] = 1.0 / (part.stop - part.start)
    between = linear((places - (block - 1) / 2) / block, blocks).astype(np.float64)
    return np.asarray(between @ means, np.float32)


def cubic(places: NDArray[np.float64], count: int) -> Matrix:
    """Interpolating cubic B-spline with repeated ends, as ``scipy.ndimage.zoom`` of order 3.

    See Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Process. Mag.
    16(6), 1999, doi:10.1109/79.799930.
    """
    if count == 1:
        return np.ones((len(places), 1), np.float32)
    fitted = _spline_coefficients(count)
    padded = np.clip(places, -0.5 - _PREFILTER_REACH, count - 0.5 + _PREFILTER_REACH)
    padded = padded + _PREFILTER_REACH
    first = np.floor(padded).astype(int) - 1
    share = padded - np.floor(padded)
    weights = np.stack(
        [
            (1 - share) ** 3 / 6,
            (3 * share**3 - 6 * share**2 + 4) / 6,
            (-3 * share**3 + 3 * share**2 + 3 * share + 1) / 6,
            share**3 / 6,
        ],
        axis=1,
    )
    out = np.zeros((len(places), count))
    last = count + 2 * _PREFILTER_REACH - 1
    for tap in range(4):
        out += weights[:, tap, None] * fitted[np.clip(first + tap, 0, last)]
    out[np.abs(out) < _NEGLIGIBLE] = 0.0
    return out.astype(np.float32)


@lru_cache(maxsize=8)
def _spline_coefficients(count: int) -> NDArray[np.float64]:
    """Coefficients of the spline through samples whose ends are repeated: ``(padded, count)``."""
    repeated = np.pad(np.eye(count), ((_PREFILTER_REACH, _PREFILTER_REACH), (0, 0)), mode="edge")
    return np.asarray(ndimage.spline_filter1d(repeated, 3, axis=0, mode="mirror"))


def reach(rows: Matrix) -> tuple[int, int]:
    """First and one past the last old sample that some rows need."""
    used = np.flatnonzero(rows.any(axis=0))
    return (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
