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
"""The same for structures of many pieces, such as bones; `ENOUGH_ML` is kept in any case."""

ENOUGH_ML = 0.5
"""As much of a rib as a few slices show."""

LEAST_CONFIDENCE = 0.7
"""Structures less sure than this on the mean are not given out."""

SURE = 0.93
"""An organ of the trunk that is found without any other is given out only from here on."""

_SELDOM_ALONE = frozenset(
    {
        *("lung_left", "lung_right", "liver", "spleen", "kidney_left", "kidney_right"),
        *("stomach", "aorta", "heart"),
    }
)
CUT_SHARE = 0.25
"""What reaches the first or the last slice goes on beyond it: this share of its least volume is
enough."""

_BONY = frozenset({"bones", "vertebrae"})
_WRONG_SIDE_SHARE = 0.2
_FULL_HEIGHT_MM = 100.0
_NEVER = np.float32(-1e4)
_NEIGHBOURS = np.ones((3, 3, 3), bool)
_IN_PLANE = np.zeros((3, 3, 3), bool)
_IN_PLANE[1] = True
_GAS_HU = -400.0
_LEAST_TISSUE_SHARE = 0.4
_BONE_HU = 130.0
_FAT_HU = -30.0
_LEAST_SKULL_MM2 = 5000.0

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
    at_start, at_end
        Whether it reaches the first and the last slice that the scan holds.
    """

    label: int
    volume_ml: float
    confidence: float
    at_start: bool = False
    at_end: bool = False


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
    skull = _inside_skull(hu, spacing_mm[1] * spacing_mm[2])
    ml = float(np.prod(spacing_mm)) / 1000.0
    for label, structure in enumerate(structures, start=1):
        if not structure.auxiliary:  # what is not given out only keeps its place from others
            _drop_pieces(logits, hu, skull, label, structure, covered, ENOUGH_ML / ml)
    heights = np.flatnonzero(covered.any(axis=(1, 2)))
    height_mm = (heights[-1] - heights[0] + 1) * spacing_mm[0] if heights.size else 0.0
    shown = min(1.0, height_mm / _FULL_HEIGHT_MM)
    edges = heights[[0, -1]].tolist() if heights.size else []
    probability = _largest_probability(logits)
    winner = logits.argmax(axis=0)
    found = []
    for label, structure in enumerate(structures, start=1):
        if structure.auxiliary:
            continue
        mask = (winner == label) & covered
        volume = float(mask.sum()) * ml
        confidence = float(probability[mask].mean()) if volume else 0.0
        sure = _of_kin(logits, mask, structures) if _bony(structure) and volume else confidence
        ends = [bool(volume) and bool(mask[end].any()) for end in edges]
        least = structure.min_volume_ml * (min(shown, CUT_SHARE) if any(ends) else shown)
        if volume < least or sure < LEAST_CONFIDENCE:
            logits[label] = _NEVER
            continue
        found.append(Found(label, volume, confidence, *ends))
    company = [each for each in found if _name(structures, each) in _SELDOM_ALONE]
    if len(company) == 1 and company[0].confidence < SURE:
        logits[company[0].label] = _NEVER
        found.remove(company[0])
    return found


def _bony(structure: Structure) -> bool:
    return structure.category.name in _BONY


def _of_kin(logits: Floats, mask: Bools, structures: Sequence[Structure]) -> float:
    """Mean probability of any bone: which of two bones it is may be unsure, that it is one not."""
    kin = [label for label, each in enumerate(structures, start=1) if _bony(each)]
    chosen = logits[:, mask]
    odds = np.exp(chosen - chosen.max(axis=0))
    return float((odds[kin].sum(axis=0) / odds.sum(axis=0)).mean())


def _name(structures: Sequence[Structure], found: Found) -> str:
    return structures[found.label - 1].category.name


def _largest_probability(logits: Floats) -> Floats:
    top = logits.max(axis=0)
    total = np.zeros_like(top)
    for each in logits:
        total += np.exp(each - top)
    return np.asarray(1 / total)


def _inside_skull(hu: Floats, sample_mm2: float) -> Bools:
    """What a closed ring of bone surrounds in its slice, if it is large and holds no fat."""
    soft = ~ndimage.binary_closing(hu > _BONE_HU, _IN_PLANE)
    holes, count = ndimage.label(soft & ~_reaching_the_edge(soft), _IN_PLANE)
    areas = np.bincount(holes.ravel(), minlength=count + 1) * sample_mm2
    fat = np.bincount(holes.ravel(), hu.ravel() < _FAT_HU, minlength=count + 1) * sample_mm2
    skull = (areas > _LEAST_SKULL_MM2) & (fat < 0.05 * areas)
    skull[0] = False
    return np.asarray(skull[holes])


def _bare(pieces: NDArray[np.int32], count: int, hu: Floats) -> Bools:
    """Which pieces have air or foam around them rather than tissue: they lie beside the body."""
    bare = np.zeros(count + 1, bool)
    others = (hu > _GAS_HU) | (pieces > 0)
    for number, box in enumerate(ndimage.find_objects(pieces, count), start=1):
        wider = tuple(slice(max(0, each.start - 2), each.stop + 2) for each in box)
        piece = pieces[wider] == number
        rim = ndimage.binary_dilation(piece, _IN_PLANE, iterations=2) & ~piece
        if rim.any():
            bare[number] = float(others[wider][rim].mean()) < _LEAST_TISSUE_SHARE
    return bare


def _reaching_the_edge(mask: Bools) -> Bools:
    pieces, count = ndimage.label(mask, _IN_PLANE)
    reached = np.zeros(count + 1, bool)
    for edge in (pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1]):
        reached[np.unique(edge)] = True
    reached[0] = False
    return np.asarray(reached[pieces])


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
    logits: Floats,
    hu: Floats,
    skull: Bools,
    label: int,
    structure: Structure,
    covered: Bools,
    enough: float,
) -> None:
    """Drop pieces far smaller than the largest, of impossible attenuation, or where none can be.

    Of structures of many pieces, those of ``enough`` samples are not too small.
    """
    mask = logits.argmax(axis=0) == label
    pieces, count = ndimage.label(mask, _NEIGHBOURS)
    if not count:
        return
    sizes = np.bincount(pieces[covered], minlength=count + 1).astype(float)
    sizes[0] = 0
    numbers = np.arange(1, count + 1)
    means = np.append(0.0, ndimage.mean(hu, pieces, numbers))
    low, high = structure.hu_range
    impossible = (means < low) | (means > high)
    if structure.enclosed:
        impossible |= np.append(0.0, ndimage.mean(skull, pieces, numbers)) > 0.5
        impossible |= _bare(pieces, count, hu)
    sizes[impossible] = 0
    most = float(sizes.max())
    single = structure.single
    least = KEPT_SHARE * most if single else min(KEPT_SHARE_OF_SCATTERED * most, enough)
    dropped = np.flatnonzero(impossible | (sizes < least))
    dropped = dropped[dropped > 0]
    if not dropped.size:
        return
    gone = np.isin(pieces, dropped)
    kept = mask & ~gone
    gone = ndimage.binary_dilation(gone, _NEIGHBOURS) & ~kept
    logits[label][gone] = _NEVER
