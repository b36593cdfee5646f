"""Remove what interpolation leaves behind: specks far from the structure they are named after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.segmentation.judge import KEPT_SHARE
from delineate.segmentation.structures import Structure

__all__ = ["without_specks"]

_KEPT_SHARE_OF_SCATTERED = 0.001  # finer grids tear thin ribs apart
_NEIGHBOURS = np.ones((3, 3, 3), bool)


def without_specks(labels: NDArray[np.uint8], structures: Sequence[Structure]) -> NDArray[np.uint8]:
    """Labels without pieces far smaller than the largest of the same structure.

    Between two working samples a third structure may win that won at neither, and a piece that
    was dropped there leaves its place to the runner-up; both come out as specks on the source
    grid.

    Parameters
    ----------
    labels
        ``(slice, row, column)`` on the source grid.
    structures
        That of label 1 first.

    Returns
    -------
    ndarray
        A copy; specks are background.
    """
    clean = labels.copy()
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        structure = structures[label - 1]
        pieces, count = ndimage.label(labels[box] == label, _NEIGHBOURS)
        if count == 1:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        share = KEPT_SHARE if structure.single else _KEPT_SHARE_OF_SCATTERED
        speck = sizes < share * sizes.max()
        speck[0] = False
        clean[box][speck[pieces]] = 0
    return clean
