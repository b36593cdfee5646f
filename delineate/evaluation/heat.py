"""Where a field and its reference differ most, kept for the report's picture."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.cutout import Cutout
from delineate.imaging import Grid
from delineate.plugins.outputs import Field

__all__ = ["Heat", "heat_of"]

_MOST_SIDE = 320  # samples of a picture's longer side


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Heat:
    """A slice of a field, coarser where it is large.

    Parameters
    ----------
    cutout
        The masks of the reference, and of what is at or above the threshold.
    shades
        uint8 ``(row, column)``: the field's scores from ``low`` (0) to ``high`` (255).
    low, high, threshold
        Scores.
    meaning
        Of the scores, in the detector's words.
    """

    cutout: Cutout
    shades: NDArray[np.uint8]
    low: float
    high: float
    threshold: float
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """Small: the scores are of 256 shades, compressed."""
        return {
            "of": "field",
            "cutout": self.cutout.to_json(),
            "shades": base64.b64encode(zlib.compress(self.shades.tobytes(), 6)).decode(),
            "low": self.low,
            "high": self.high,
            "threshold": self.threshold,
            "meaning": self.meaning,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Heat:
        """Inverse of `to_json`."""
        cutout = Cutout.from_json(document["cutout"])
        shades = np.frombuffer(zlib.decompress(base64.b64decode(document["shades"])), np.uint8)
        return cls(
            cutout=cutout,
            shades=shades.reshape(cutout.grid.shape[1:]),
            **{name: document[name] for name in ("low", "high", "threshold", "meaning")},
        )


def heat_of(field: Field, truth: NDArray[np.bool_]) -> Heat:
    """The slice in which most samples are found and not true, or true and not found.

    Of a large slice each pixel of the picture is the highest of several samples.
    """
    found = field.array >= field.threshold
    apart = (found ^ truth).sum(axis=(1, 2))
    place = int(np.argmax(apart if apart.any() else field.array.max(axis=(1, 2))))
    step = max(1, -(-max(field.grid.shape[1:]) // _MOST_SIDE))
    scores = np.asarray(_highest(field.array[place], step), np.float64)
    low, high = float(scores.min()), float(max(scores.max(), field.threshold))
    span = high - low or 1.0
    return Heat(
        cutout=Cutout(
            structure=field.category.name,
            slice=place,
            slices=field.grid.shape[0],
            grid=_coarse(field.grid, place, step),
            reference=_highest(truth[place], step),
            prediction=_highest(found[place], step),
        ),
        shades=np.rint((scores - low) / span * 255).astype(np.uint8),
        low=low,
        high=high,
        threshold=float(field.threshold),
        meaning=field.meaning,
    )


def _highest(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """The highest of each ``step`` x ``step`` samples; the last row and column may be of fewer."""
    for axis in (0, 1):
        starts = np.arange(0, plane.shape[axis], step)
        plane = np.maximum.reduceat(plane, starts, axis=axis)
    return plane


def _coarse(grid: Grid, place: int, step: int) -> Grid:
    """The grid of one slice with samples ``step`` times as large."""
    affine = grid.affine.copy()
    shift = (step - 1) / 2
    affine[:3, 3] = grid.to_world((place, shift, shift))
    affine[:3, 1:3] *= step
    _, rows, columns = grid.shape
    return Grid((1, -(-rows // step), -(-columns // step)), affine, grid.unit)
