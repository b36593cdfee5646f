"""Uneven slices brought onto a regular grid, where somebody asks for that.

The grid's planes are as far apart as the finest *frequent* distance: the finest that at least two
pairs of slices and a tenth of all have, else the most frequent one. It is placed so that as many
slices as possible lie on it and stay as they are, and reaches no further than the outer slices
(but for rounding, 0.1 mm or 1 % of the step): nothing is extrapolated. What lies between two slices
is interpolated linearly along the step from slice to slice, so that a gantry tilt stays the shear
that it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.formats.dicom.layout import (
    SAME_POSITION,
    Layout,
    distances,
    frame,
    told,
    tolerance_of,
)
from delineate.formats.dicom.slices import Slice
from delineate.formats.particulars import Problem, Spacing
from delineate.imaging import Grid

__all__ = ["Bridge", "bridge_of", "interpolated"]

# So many slices may be made up between two real ones; a wider gap is no data.
_MOST_MISSING = 3
_FREQUENT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """How slices become those of a regular grid.

    Slice ``n`` of ``grid`` lies ``share[n]`` of the way from slice ``below[n]`` to the next one;
    ``said`` is the sentence that says so.
    """

    grid: Grid
    below: NDArray[np.intp]
    share: NDArray[np.float64]
    said: str

    def applied(self, array: NDArray[Any]) -> NDArray[Any]:
        """Samples on ``grid``, of the dtype they come in; integers are rounded to the nearest."""
        out = np.empty(self.grid.shape, array.dtype)
        for index, (below, share) in enumerate(zip(self.below, self.share, strict=True)):
            if share == 0.0:
                out[index] = array[below]
                continue
            low, high = array[below].astype(np.float64), array[below + 1].astype(np.float64)
            between = low + share * (high - low)
            out[index] = np.rint(between) if array.dtype.kind in "iu" else between
        return out


def bridge_of(ordered: Sequence[Slice], layout: Layout) -> Bridge | Problem:
    """A regular grid for slices that are uneven, none at the place of another, or why not."""
    steps, along = distances(layout), layout.along
    step = _finest(steps, len(ordered) - 1)
    astray = _astray(ordered, layout)
    if astray is not None:
        return astray
    spaces = np.diff(along)
    widest = int(np.argmax(spaces))
    if spaces[widest] > (_MOST_MISSING + 1) * step + tolerance_of(step):
        return Problem(
            "gap_too_large",
            f"{ordered[widest].label} at {along[widest]:.2f} mm and {ordered[widest + 1].label} at "
            f"{along[widest + 1]:.2f} mm are {spaces[widest]:.2f} mm apart; with slices every "
            f"{step:.2f} mm that is more than {_MOST_MISSING} slices to make up",
        )
    start, count = _place(along, step)
    wanted = start + step * np.arange(count, dtype=np.float64)
    below, share = interpolated(along, wanted)
    grid = _grid(frame(ordered, layout), layout, step, start, count)
    kept = int((share == 0.0).sum())
    said = (
        f"Slices are interpolated: distances of {told(steps)} are brought to {step:.2f} mm, the "
        f"widest gap bridged is {spaces[widest]:.2f} mm; {kept} of {len(ordered)} slices stay as "
        f"they are, {count - kept} are made."
    )
    return Bridge(grid, below, share, said)


def interpolated(
    along: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where positions lie among ascending ones: index of the one below, share of the way on.

    A position that is there, or outside by rounding, is taken as it is.
    """
    last = len(along) - 1
    below = np.clip(np.searchsorted(along, wanted, side="right") - 1, 0, last - 1)
    share = np.clip((wanted - along[below]) / (along[below + 1] - along[below]), 0.0, 1.0)
    nearest = np.abs(along[None, :] - wanted[:, None]).argmin(axis=1)
    same = np.abs(along[nearest] - wanted) <= SAME_POSITION
    return np.where(same, nearest, below), np.where(same, 0.0, share)


def _finest(steps: Sequence[Spacing], pairs: int) -> float:
    frequent = [one.mm for one in steps if one.count >= max(2, _FREQUENT * pairs)]
    return min(frequent) if frequent else steps[0].mm


def _place(along: NDArray[np.float64], step: float) -> tuple[float, int]:
    """First position and number of slices of the grid that most slices lie on."""
    offsets = (along[None, :] - along[:, None]) / step
    hits = (np.abs(offsets - np.rint(offsets)) * step <= SAME_POSITION).sum(axis=1)
    anchor = float(along[int(np.argmax(hits))])
    rounding = tolerance_of(step)
    before = int(np.floor((anchor - along[0] + rounding) / step))
    after = int(np.floor((along[-1] - anchor + rounding) / step))
    return anchor - before * step, before + after + 1


def _grid(regular: Grid, layout: Layout, step: float, start: float, count: int) -> Grid:
    """``regular`` with other slices: from ``start`` on, ``step`` apart along the normal."""
    affine = regular.affine.copy()
    affine[:3, 0] = layout.direction * step
    affine[:3, 3] = layout.places[0] + layout.direction * (start - layout.along[0])
    return Grid((count, *regular.shape[1:]), affine)


def _astray(ordered: Sequence[Slice], layout: Layout) -> Problem | None:
    """The slice that lies beside the line on which the others follow each other, if there is one.

    Interpolation along the step would shift its picture.
    """
    along = layout.along
    line = layout.places[0] + layout.direction * (along - along[0])[:, None]
    off = np.linalg.norm(layout.places - line, axis=1)
    worst = int(np.argmax(off))
    if off[worst] <= tolerance_of(0.0):
        return None
    return Problem(
        "uneven_spacing",
        f"{ordered[worst].label} at {along[worst]:.2f} mm lies {off[worst]:.2f} mm beside the line "
        "of the other slices, so it cannot be interpolated with them",
    )
