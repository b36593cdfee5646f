"""Which fault of a board a change is: by what of the template it touches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.detectors.compare import COPPER, MOUSEBITE, OPEN, PIN_HOLE, SHORT, SPUR
from delineate.detectors.compare.changes import Change
from delineate.imaging import Category

__all__ = ["fault"]

Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), bool)
_AROUND = 4  # samples in which two edges that are touched may turn out to be one
_ISLAND = 20  # samples of a piece that was cut off
_LEAST = 2  # samples of an edge that count as touching it


def fault(change: Change, copper: Mask, tolerance: int) -> Category:
    """Name a change.

    Copper that was added touches no conductor (spurious copper), one edge of one (a spur), or joins
    two (a short). Copper that is missing touches no edge (a pin-hole), one (a mousebite) or goes
    from one edge to another (an open).

    Parameters
    ----------
    change
        Where it is.
    copper
        ``(row, column)`` of the whole template.
    tolerance
        How far from an edge still touches it, in samples.
    """
    edges = _edges_touched(change, copper if change.extra else ~copper, tolerance)
    if change.extra:
        return (COPPER, SPUR, SHORT)[edges]
    return (PIN_HOLE, MOUSEBITE, OPEN)[edges]


def _edges_touched(change: Change, beyond: Mask, tolerance: int) -> int:
    """How many separate pieces of ``beyond`` the change touches; two stands for more.

    Two as well if it cuts a corner off, so that its edges are one around that corner.
    """
    reach = max(tolerance, 1)
    pad = reach + _AROUND
    rows, columns = change.mask.shape
    top, left = max(change.row - pad, 0), max(change.column - pad, 0)
    around = beyond[top : change.row + rows + pad, left : change.column + columns + pad]
    own = np.zeros_like(around)
    inside = (
        slice(change.row - top, change.row - top + rows),
        slice(change.column - left, change.column - left + columns),
    )
    own[inside] = change.mask
    near, touching = _widened(own, pad), _widened(own, reach)
    pieces, _ = ndimage.label(near & around, _EIGHT)
    edges = int((np.bincount(pieces[touching])[1:] >= _LEAST).sum())
    if edges == 1 and _pieces(~around & ~touching) > _pieces(~around):
        return 2
    return min(2, edges)


def _pieces(mask: Mask) -> int:
    """How many pieces there are, not counting specks."""
    pieces, _ = ndimage.label(mask)
    return int((np.bincount(pieces.ravel())[1:] >= _ISLAND).sum())


def _widened(mask: Mask, by: int) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, _EIGHT, iterations=by))
