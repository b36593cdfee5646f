"""Decide what of the raw logits is believed: pieces, sides, volumes, confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.segmentation.structures import Structure

KEPT_SHARE = 0.2
"""Pieces smaller than this share of the largest are dropped from single structures."""

KEPT_SHARE_OF_SCATTERED = 0.01
"""The same for structures of many pieces, such as bones."""

LEAST_CONFIDENCE = 0.5
_WRONG_SIDE_SHARE = 0.2
_FULL_HEIGHT_MM = 100.0
_NEVER = np.float32(-1e4)
_NEIGHBOURS = np.ones((3, 3, 3), bool)

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """One structure that is believed.

    Attributes
    ----------
    volume_ml
        On the working grid, within the scan.
    confidence
        Mean softmax probability over its samples, 0 to 1.
    """

    label: int
    volume_ml: float
    confidence: float


def judge(
    logits: Floats,
    hu: Floats,
    structures: Sequence[Structure],
    spacing_mm: tuple[float, float, float],
    covered: Bools,
) -> list[Found]:
    """Clean logits in place and say what was found.

    Parameters
    ----------
    logits
        Shape (class, slice, row, column) on the working grid, background first. What is dropped
        gets a very low logit, so that the runner-up takes its place in any interpolation.
    hu
        What the network saw, shape (slice, row, column).
    structures
        One a class after the background.
    spacing_mm
        Of the working grid.
    covered
        Samples that the scan holds; only they count for volumes.

    Returns
    -------
    list of Found
        In label order, auxiliary structures left out.
    """
    _settle_sides(logits, structures)
    for label, structure in enumerate(structures, start=1):
        _drop_pieces(logits, hu, label, structure, covered)
    ml = float(np.prod(spacing_mm)) / 1000.0
    heights = np.flatnonzero(covered.any(axis=(1, 2)))
    height_mm = (heights[-1] - heights[0] + 1) * spacing_mm[0] if heights.size else 0.0
    shown = min(1.0, height_mm / _FULL_HEIGHT_MM)
    probability = _largest_probability(logits)
    winner = logits.argmax(axis=0)
    found = []
    for label, structure in enumerate(structures, start=1):
        if structure.auxiliary:
            continue
        mask = (winner == label) & covered
        volume = float(mask.sum()) * ml
        confidence = float(probability[mask].mean()) if volume else 0.0
        if volume < structure.min_volume_ml * shown or confidence < LEAST_CONFIDENCE:
            logits[label] = _NEVER
            continue
        found.append(Found(label, volume, confidence))
    return found


def _largest_probability(logits: Floats) -> Floats:
    top = logits.max(axis=0)
    total = np.zeros_like(top)
    for each in logits:
        total += np.exp(each - top)
    return np.asarray(1 / total)


def _settle_sides(logits: Floats, structures: Sequence[Structure]) -> None:
    """Give a piece that is mostly left (or right) to that side as a whole.

    A piece in which both sides have a good part is left alone: the two lungs may touch.
    """
    names = {each.category.name: label for label, each in enumerate(structures, start=1)}
    winner = logits.argmax(axis=0)
    for name, left in names.items():
        right = names.get(name.removesuffix("_left") + "_right")
        if not name.endswith("_left") or right is None:
            continue
        pieces, count = ndimage.label(np.isin(winner, (left, right)), _NEIGHBOURS)
        for number, box in enumerate(ndimage.find_objects(pieces, count), start=1):
            piece = pieces[box] == number
            share = float((winner[box][piece] == left).mean())
            for minority, majority, part in ((left, right, share), (right, left, 1 - share)):
                if 0 < part < _WRONG_SIDE_SHARE:
                    wrong = piece & (winner[box] == minority)
                    whole_box = (slice(None), *box)
                    view = logits[whole_box]
                    kept = view[minority][wrong].copy()
                    view[minority][wrong] = view[majority][wrong]
                    view[majority][wrong] = kept


def _drop_pieces(
    logits: Floats, hu: Floats, label: int, structure: Structure, covered: Bools
) -> None:
    """Drop pieces far smaller than the largest, and those of impossible attenuation."""
    mask = logits.argmax(axis=0) == label
    pieces, count = ndimage.label(mask, _NEIGHBOURS)
    if not count:
        return
    sizes = np.bincount(pieces[covered], minlength=count + 1).astype(float)
    sizes[0] = 0
    means = np.append(0.0, ndimage.mean(hu, pieces, np.arange(1, count + 1)))
    low, high = structure.hu_range
    impossible = (means < low) | (means > high)
    sizes[impossible] = 0
    share = KEPT_SHARE if structure.single else KEPT_SHARE_OF_SCATTERED
    dropped = np.flatnonzero(impossible | (sizes < share * sizes.max()))
    dropped = dropped[dropped > 0]
    if not dropped.size:
        return
    gone = np.isin(pieces, dropped)
    kept = mask & ~gone
    gone = ndimage.binary_dilation(gone, _NEIGHBOURS) & ~kept
    logits[label][gone] = _NEVER
