"""Where the worst structure of a case differs most, kept for the report's picture."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.overlap import Structure
from delineate.evaluation.score import METRICS, Score
from delineate.evaluation.surface import Part
from delineate.imaging import Grid
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


def cutout_of(found: Sequence[Structure], grid: Grid, scores: Sequence[Score]) -> Cutout | None:
    """Of the worst structure, the slice in which most samples are in one side only.

    Parameters
    ----------
    found
        All structures of both sides.
    grid
        Where they lie.
    scores
        Of them: the first metric of `HEADLINE` that is there says which is the worst.
    """
    name = _worst(scores)
    for one in found:
        parts = [part for part in (one.reference, one.prediction) if part is not None]
        if one.name == name and parts:
            boxes = np.array([part.box for part in parts]).reshape(-1, 3, 2)
            low, high = boxes[..., 0].min(axis=0), boxes[..., 1].max(axis=0)
            box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
            reference, prediction = (_mask(part, box) for part in (one.reference, one.prediction))
            apart = (reference ^ prediction).sum(axis=(1, 2))
            most = int(np.argmax(apart if apart.any() else reference.sum(axis=(1, 2))))
            return _cut(one, grid, box[0].start + most, box)
    return None


def _cut(one: Structure, grid: Grid, number: int, box: tuple[slice, ...]) -> Cutout:
    rows, columns = (_grown(box[axis], axis, grid) for axis in (1, 2))
    place = (slice(number, number + 1), rows, columns)
    shape = (1, rows.stop - rows.start, columns.stop - columns.start)
    return Cutout(
        structure=one.name,
        slice=number,
        slices=grid.shape[0],
        grid=grid.crop((number, rows.start, columns.start), shape),
        reference=_mask(one.reference, place)[0],
        prediction=_mask(one.prediction, place)[0],
    )


def _mask(part: Part | None, place: tuple[slice, ...]) -> Mask:
    if part is None:
        return np.zeros([side.stop - side.start for side in place], bool)
    return np.asarray(part.array[place] == part.label)


def _worst(scores: Sequence[Score]) -> str:
    for metric in HEADLINE:
        lower = METRICS[metric].better == "lower"
        known = [one for one in scores if one.metric == metric and one.value == one.value]
        if known:
            return min(known, key=lambda one: -one.value if lower else one.value).structure
    return next((one.structure for one in scores), "")


def _grown(side: slice, axis: int, grid: Grid) -> slice:
    """A side of the box with a margin, and of a least size."""
    size, step = side.stop - side.start, grid.spacing[axis]
    margin = max(_MARGIN_MM / step, (_LEAST_MM / step - size) / 2)
    grown = int(np.ceil(margin if grid.unit == "mm" else max(_MARGIN_PX, _MARGIN_SHARE * size)))
    return slice(max(0, side.start - grown), min(grid.shape[axis], side.stop + grown))
