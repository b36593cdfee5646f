"""Where the worst structure of a case differs most, kept for the report's picture."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.score import METRICS, Score
from delineate.imaging import Grid, LabelMap
from delineate.plugins.wire import grid_from_json, grid_json

__all__ = ["HEADLINE", "Cutout", "cutout_of"]

Mask = NDArray[np.bool_]

HEADLINE = (  # what is shown first, where it is there
    *("dice", "nsd", "hd95", "assd", "auroc", "pro"),
    *("detection_f1", "detection_precision", "detection_recall", "average_precision"),
    *("true_probability", "brier"),
)

_MARGIN_MM, _LEAST_MM = 10.0, 36.0
_MARGIN_PX, _MARGIN_SHARE = 8, 0.2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cutout:
    """Part of a slice, with both masks of one structure.

    Parameters
    ----------
    structure
        Its name.
    slice, slices
        Which slice, from 0, of how many.
    grid
        Of the part: one slice.
    reference, prediction
        Masks ``(row, column)`` on it.
    """

    structure: str
    slice: int
    slices: int
    grid: Grid
    reference: Mask
    prediction: Mask

    def to_json(self) -> dict[str, Any]:
        """Small: the masks are bits, compressed."""
        bits = np.packbits(np.stack((self.reference, self.prediction)))
        return {
            "of": "masks",
            "structure": self.structure,
            "slice": self.slice,
            "slices": self.slices,
            "grid": grid_json(self.grid),
            "masks": base64.b64encode(zlib.compress(bits.tobytes(), 6)).decode(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Cutout:
        """Inverse of `to_json`."""
        grid = grid_from_json(document["grid"])
        _, rows, columns = grid.shape
        packed = np.frombuffer(zlib.decompress(base64.b64decode(document["masks"])), np.uint8)
        masks = np.unpackbits(packed, count=2 * rows * columns).view(bool)
        reference, prediction = masks.reshape(2, rows, columns)
        return cls(
            structure=document["structure"],
            slice=document["slice"],
            slices=document["slices"],
            grid=grid,
            reference=reference,
            prediction=prediction,
        )


def cutout_of(pairs: Sequence[tuple[LabelMap, LabelMap]], scores: Sequence[Score]) -> Cutout | None:
    """Of the worst structure, the slice in which most samples are in one side only.

    Parameters
    ----------
    pairs
        Label maps of reference and prediction with the same names.
    scores
        Of them: the first metric of `HEADLINE` that is there says which is the worst.
    """
    name = _worst(scores)
    for ours, theirs in pairs:
        one, two = (_box_of(layer, name) for layer in (ours, theirs))
        if one is None and two is None:
            continue
        boxes = [box for box in (one, two) if box is not None]
        low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        masks = [layer.array[box] == _label(layer, name) for layer in (ours, theirs)]
        apart = (masks[0] ^ masks[1]).sum(axis=(1, 2))
        place = int(np.argmax(apart if apart.any() else masks[0].sum(axis=(1, 2))))
        return _cut(name, (ours, theirs), int(low[0]) + place, box)
    return None


def _cut(
    name: str, layers: tuple[LabelMap, LabelMap], number: int, box: tuple[slice, ...]
) -> Cutout:
    grid = layers[0].grid
    rows, columns = (_grown(box[axis], axis, grid) for axis in (1, 2))
    shape = (1, rows.stop - rows.start, columns.stop - columns.start)
    one, two = (layer.array[number, rows, columns] == _label(layer, name) for layer in layers)
    return Cutout(
        structure=name,
        slice=number,
        slices=grid.shape[0],
        grid=grid.crop((number, rows.start, columns.start), shape),
        reference=one,
        prediction=two,
    )


def _worst(scores: Sequence[Score]) -> str:
    for metric in HEADLINE:
        lower = METRICS[metric].better == "lower"
        known = [one for one in scores if one.metric == metric and one.value == one.value]
        if known:
            return min(known, key=lambda one: -one.value if lower else one.value).structure
    return next((one.structure for one in scores), "")


def _label(layer: LabelMap, name: str) -> int:
    """The label of a name; one that no sample has where there is none."""
    return next((label for label, one in layer.categories.items() if one.name == name), 65536)


def _box_of(layer: LabelMap, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    label = _label(layer, name)
    if label > 65535:
        return None
    array = np.ascontiguousarray(layer.array)
    places = np.flatnonzero((array.reshape(len(array), -1) == label).any(axis=1))
    if not places.size:
        return None
    seen = (array[places[0] : places[-1] + 1] == label).any(axis=0)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    low = np.array([places[0], rows[0], columns[0]])
    return low, np.array([places[-1], rows[-1], columns[-1]]) + 1


def _grown(side: slice, axis: int, grid: Grid) -> slice:
    """A side of the box with a margin, and of a least size."""
    size, step = side.stop - side.start, grid.spacing[axis]
    margin = max(_MARGIN_MM / step, (_LEAST_MM / step - size) / 2)
    grown = int(np.ceil(margin if grid.unit == "mm" else max(_MARGIN_PX, _MARGIN_SHARE * size)))
    return slice(max(0, side.start - grown), min(grid.shape[axis], side.stop + grown))
