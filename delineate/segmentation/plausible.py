"""What anatomy says of what was found in a trunk: what lies beyond the scan, what is too large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.segmentation.judge import Found
from delineate.segmentation.structures import Structure

__all__ = ["LARGER", "largest_ml", "shows_a_body", "told_of_the_missing"]

LARGER = "larger than plausible"

_CHEST = frozenset({"lung_left", "lung_right", "heart"})
_UPPER = frozenset({"liver", "spleen", "stomach"})
_KIDNEYS = frozenset({"kidney_left", "kidney_right"})
_PELVIS = frozenset({"urinary_bladder"})

_LEVEL = MappingProxyType(
    {
        **dict.fromkeys(_PELVIS, 0),
        **dict.fromkeys(_KIDNEYS | _UPPER, 1),
        **dict.fromkeys(_CHEST, 2),
    }
)
"""From feet to head: what a slice cuts lies between what lies wholly below and above it."""

_LARGEST_ML = MappingProxyType(
    {
        **dict.fromkeys(("lung_left", "lung_right"), 5500.0),
        **dict.fromkeys(("kidney_left", "kidney_right"), 700.0),
        "liver": 4500.0,
        "spleen": 2500.0,
        "stomach": 3000.0,
        "urinary_bladder": 2000.0,
        "aorta": 800.0,
        "heart": 1800.0,
    }
)
"""More than nearly all adults have, the ill among them."""

_BONY = frozenset({"bones", "vertebrae"})

_FAT_HU = (-150.0, -40.0)
_LEAST_FAT_SHARE = 0.01
_RIM = np.ones((1, 5, 5), bool)


def shows_a_body(
    hu: NDArray[np.float32],
    covered: NDArray[np.bool_],
    believed: Sequence[Found],
    structures: Sequence[Structure],
) -> bool:
    """Whether there is bone, or fat within what is dense: a cylinder of water has neither.

    Parameters
    ----------
    hu, covered
        On the working grid, ``(slice, row, column)``; ``covered`` is what the scan holds.
    believed, structures
        What was found, and one structure a label.
    """
    if any(structures[each.label - 1].category.name in _BONY for each in believed):
        return True
    dense = covered & (hu > 2 * _FAT_HU[0])
    inside = ndimage.binary_erosion(dense, _RIM)  # at the rim water and air mix to fat
    fat = inside & (hu > _FAT_HU[0]) & (hu < _FAT_HU[1])
    return float(fat.sum()) >= _LEAST_FAT_SHARE * max(1.0, float(inside.sum()))


def told_of_the_missing(
    believed: Sequence[Found], structures: Sequence[Structure], wanted: Iterable[int]
) -> tuple[str, ...]:
    """Say which structures were not found because the scan does not seem to reach them.

    Parameters
    ----------
    believed
        Everything that was found, wanted or not; slices rise from the feet to the head.
    structures
        One a label, label 1 first.
    wanted
        Labels that were asked for.
    """
    names = [each.category.name for each in structures]
    there = {names[each.label - 1]: each for each in believed}
    asked = [names[label - 1] for label in wanted]
    if not there.keys() - _BONY:
        return ("No organ of the trunk was found; the scan may show none.",) if asked else ()
    lowest = max(
        (_LEVEL.get(name, -1) for name, each in there.items() if each.at_start), default=-1
    )
    highest = min((_LEVEL.get(name, 9) for name, each in there.items() if each.at_end), default=9)
    hidden: dict[str, list[str]] = {"lower": [], "upper": []}
    for group in (_CHEST, _UPPER, _KIDNEYS, _PELVIS):
        if group & there.keys():
            continue  # the scan reaches there; what is missing is missing
        for name in asked:
            if name in group and _LEVEL[name] < lowest:
                hidden["lower"].append(name)
            elif name in group and _LEVEL[name] > highest:
                hidden["upper"].append(name)
    return tuple(
        f"Not found, and probably beyond the {end} end of the scan: "
        f"{', '.join(missing).replace('_', ' ')}."
        for end, missing in hidden.items()
        if missing
    )


def largest_ml(name: str) -> float:
    """What no structure of this name is likely to exceed, in millilitres."""
    return _LARGEST_ML.get(name, float("inf"))
