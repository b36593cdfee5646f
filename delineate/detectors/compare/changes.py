"""Where a picture has copper that its template has not, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Change", "changes"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), bool)
_SEEDS = 6  # samples beyond the tolerance that make a change
_FLAT = 12  # times as long as wide
_GAP = 3  # samples; pieces nearer than twice this are one fault


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One connected place where copper was added or is missing.

    Parameters
    ----------
    row, column
        Of the first sample of ``mask``.
    mask
        ``(row, column)``; the changed samples with the gaps between its pieces.
    extra
        Copper that should not be there; else copper that is missing.
    area
        Number of changed samples.
    contrast
        Mean change over them, in steps from board to copper.
    """

    row: int
    column: int
    mask: Mask
    extra: bool
    area: int
    contrast: float


def changes(
    picture: Floats, template: Floats, contrast: float, tolerance: int, min_area: int
) -> Iterator[Change]:
    """Compare two pictures sample by sample, forgiving edges that wander.

    A change is seeded where the picture is above everything (below everything) that the template
    shows within the tolerance, and grows to the edges of what differs there.

    Parameters
    ----------
    picture, template
        ``(row, column)``; 0 is board, 1 is copper; the template NaN where unknown.
    contrast
        Least difference.
    tolerance
        In samples.
    min_area
        Fewest changed samples of a change.
    """
    unknown = np.isnan(template)
    for extra in (False, True):
        one, other = (picture, template) if extra else (1 - picture, 1 - template)
        known = np.where(unknown, np.float32(np.inf), other)
        yield from _changes(one, known, contrast, tolerance, min_area, extra)


def _changes(
    one: Floats, known: Floats, contrast: float, tolerance: int, min_area: int, extra: bool
) -> Iterator[Change]:
    """Where ``one`` is above what is ``known``, infinite where nothing is."""
    differs = one - known > contrast
    seeds = differs & _above(one, known, contrast, tolerance)
    grown = differs & _widened(seeds, tolerance + 1)
    pieces, _ = ndimage.label(_widened(grown, _GAP), _EIGHT)
    pieces[~grown] = 0
    seeded = np.bincount(pieces[seeds])
    for number, place in enumerate(ndimage.find_objects(pieces), 1):
        if place is None or number >= len(seeded) or seeded[number] < _SEEDS:
            continue
        own = pieces[place] == number
        if own.sum() < min_area:
            continue
        if _is_long(own) and not _is_deep(place, own, one, known, contrast, 2 * tolerance):
            continue  # an edge has moved as a whole
        mask = ndimage.binary_closing(np.pad(own, _GAP + 1), _EIGHT, iterations=_GAP)
        yield Change(
            place[0].start,
            place[1].start,
            mask[_GAP + 1 : -_GAP - 1, _GAP + 1 : -_GAP - 1],
            extra,
            int(own.sum()),
            float(np.clip(one[place][own] - known[place][own], 0, 1).mean()),
        )


def _above(one: Floats, known: Floats, contrast: float, reach: int) -> Mask:
    """Where it is above all that is known within ``reach`` samples."""
    around = ndimage.maximum_filter(known, 2 * reach + 1, mode="constant", cval=np.inf)
    return np.asarray(one - around > contrast)


def _is_long(own: Mask) -> bool:
    """Whether the rectangle with the same second moments is long and flat."""
    rows, columns = np.nonzero(own)
    moments = np.cov(np.stack([rows, columns]), bias=True) + np.eye(2) / 12
    width, length = np.sqrt(np.linalg.eigvalsh(moments))
    return bool(length > _FLAT * width)


def _is_deep(
    place: tuple[slice, slice], own: Mask, one: Floats, known: Floats, contrast: float, reach: int
) -> bool:
    """Whether a change goes farther than ``reach`` samples from what is known to be there."""
    wide = tuple(slice(max(each.start - reach, 0), each.stop + reach) for each in place)
    inner = tuple(
        slice(each.start - other.start, each.stop - other.start)
        for each, other in zip(place, wide, strict=True)
    )
    return bool((_above(one[wide], known[wide], contrast, reach)[inner] & own).any())


def _widened(mask: Mask, by: int) -> Mask:
    """Dilated by a square that reaches ``by`` samples to each side."""
    return np.asarray(ndimage.maximum_filter(mask.view(np.uint8), 2 * by + 1).view(bool))
