"""Points that were set a little beside their things, moved to where a network sees these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.counting.matching import matched
from delineate.detectors.counting.pictures import Picture

__all__ = ["snapped"]


def snapped(picture: Picture, found: Sequence[NDArray[np.float64]], distance: float) -> Picture:
    """Move each point that pairs with one that was found to that place; the others stay.

    What people click on lies pixels beside its thing, and a network that is to be high there and
    low at the thing itself becomes high nowhere. The labels of those who learn are moved alone,
    never those that are measured by.

    Parameters
    ----------
    picture
        With the points that were set.
    found
        For each category ``(n, 3)``: row, column and height.
    distance
        How far a point may be moved, in pixels; pairs are one to one, see `matching.matched`.
    """
    points = picture.points.copy()
    for kind, peaks in enumerate(found):
        (mine,) = np.nonzero(picture.kinds == kind)
        for peak, point in matched(peaks[:, :2], points[mine], distance):
            points[mine[point]] = peaks[peak, :2]
    return replace(picture, points=points)
