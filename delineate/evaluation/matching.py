"""Which thing of a prediction is which thing of a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.plugins.outputs import Instance

__all__ = ["Matches", "boxed", "match", "nearness", "overlaps", "positions", "ranked_hits"]

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


def ranked_hits(
    likeness: NDArray[np.float64], scores: NDArray[np.float64], least: float
) -> NDArray[np.bool_]:
    """Which things have a partner where the surest chooses first, as curves over scores need it.

    Each takes the likest that is left, as in COCO (Lin and others, ECCV 2014, arXiv:1405.0312).
    Things of equal score choose together, as `match` does, so that their order does not count.

    Parameters
    ----------
    likeness
        ``(prediction, reference)``; greater is likelier.
    scores
        ``(prediction,)``.
    least
        Pairs below it are no partners.
    """
    hits = np.zeros(len(scores), bool)
    free = np.ones(likeness.shape[1], bool)
    near = (likeness >= least).any(axis=1)  # the others have no choice
    order = np.flatnonzero(near)[np.argsort(-scores[near], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(scores[order])) + 1):
        left = np.flatnonzero(free)
        chosen = match(likeness[np.ix_(group, left)], least)
        hits[group] = chosen >= 0
        free[left[chosen[chosen >= 0]]] = False
    return hits


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
    volume, or by area where they are flat; what lies in one slice is as thick as it. Things without
    extent overlap by nothing.
    """
    found = np.zeros((len(one), len(two)))
    ours, theirs = ([n for n, item in enumerate(side) if _wide(item)] for side in (one, two))
    if not ours or not theirs:
        return found
    low, high = (ends[:, None] for ends in _thick([one[n] for n in ours]))
    lower, higher = (ends[None] for ends in _thick([two[n] for n in theirs]))
    sides = np.minimum(high, higher) - np.maximum(low, lower)
    deep = np.maximum(high, higher) - np.minimum(low, lower) > 0
    both = np.prod(np.where(deep, np.maximum(sides, 0), 1), axis=2) * deep.any(axis=2)
    whole = sum(
        np.prod(np.where(deep, b - a, 1), axis=2) for a, b in ((low, high), (lower, higher))
    )
    found[np.ix_(ours, theirs)] = np.divide(
        both, whole - both, out=np.zeros_like(both), where=both > 0
    )
    for i, j in np.argwhere(found > 0).tolist():
        first, second = one[i].polygon, two[j].polygon
        if first is not None and second is not None:
            found[i, j] = _polygons(first, second)
    return found


def _thick(items: Sequence[Instance]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of boxes, ``(n, 3)``; flat ones get the thickness of their slice."""
    low, high = (np.array(ends, float) for ends in zip(*map(boxed, items), strict=True))
    flat = low[:, 0] == high[:, 0]
    low[flat, 0] -= 0.5
    high[flat, 0] += 0.5
    return low, high


def _wide(item: Instance) -> bool:
    return item.box is not None or item.polygon is not None


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
