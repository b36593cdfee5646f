"""Bring labels to another grid through the same sample centres: no sample is made anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.imaging.grid import Grid
from delineate.imaging.image import LabelMap

__all__ = ["place"]

# Centres this near, in samples of the new grid, are the same: headers round their numbers.
_SAME = 0.02


def place(labelmap: LabelMap, grid: Grid) -> LabelMap:
    """Put labels on a grid whose sample centres are theirs: turned, flipped, larger or smaller.

    Parameters
    ----------
    labelmap
        Drawn on the same image, maybe on some of its slices, maybe in another order of axes, as
        programs that turn images to their own orientation leave them.
    grid
        Where to put them; samples that the label map does not cover are background.

    Returns
    -------
    LabelMap
        The same labels at the same places, none made, none lost.

    Raises
    ------
    GeometryError
        If sample centres do not coincide (within 2 % of a sample), or a label lies outside
        ``grid``. The message says by how much; :func:`~delineate.imaging.resample_labels` would
        have to make samples anew then.
    """
    if labelmap.grid.matches(grid):
        return LabelMap(labelmap.array, grid, labelmap.categories)
    if labelmap.grid.unit != grid.unit:
        raise GeometryError(
            f"the labels lie on a grid in {labelmap.grid.unit}, the image on one in {grid.unit}; "
            "give the image that they were drawn on"
        )
    start, axes, signs = _steps(labelmap.grid, grid)
    array = labelmap.array.transpose(np.argsort(axes))
    signs, sizes = signs[np.argsort(axes)], np.array(array.shape)
    start = np.where(signs < 0, start - (sizes - 1), start)
    array = array[tuple(slice(None, None, int(sign)) for sign in signs)]
    low, high = np.maximum(start, 0), np.minimum(start + sizes, grid.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, np.maximum(low, high), strict=True))
    part = tuple(
        slice(int(a - s), int(max(a, b) - s)) for a, b, s in zip(low, high, start, strict=True)
    )
    lost = int(np.count_nonzero(array)) - int(np.count_nonzero(array[part]))
    if lost:
        raise GeometryError(
            f"{lost} labelled samples lie outside the image, which has {grid.shape} samples; they "
            "were drawn on a longer series or one with a larger field of view, give that one"
        )
    placed: NDArray[Any] = np.zeros(grid.shape, labelmap.array.dtype)
    placed[box] = array[part]
    return LabelMap(placed, grid, labelmap.categories)


def _steps(old: Grid, new: Grid) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Index on ``new`` of the first sample of ``old``, and its axes and senses there."""
    first = new.to_index(old.to_world((0, 0, 0)))
    start = np.rint(first).astype(np.int64)
    off = float(np.abs(first - start).max())
    axes, signs = np.full(3, -1), np.ones(3, dtype=np.int64)
    for axis in np.flatnonzero(np.array(old.shape) > 1):
        last = np.zeros(3)
        last[axis] = old.shape[axis] - 1
        way = new.to_index(old.to_world(last)) - first
        along = int(np.argmax(np.abs(way)))
        straight = np.zeros(3)
        straight[along] = np.sign(way[along]) * last[axis]
        off = max(off, float(np.abs(first + way - start - straight).max()))
        if along in axes:
            off = float("inf")
        axes[axis], signs[axis] = along, int(np.sign(way[along]))
    if off > _SAME:
        by = "their axes differ" if not np.isfinite(off) else f"they are up to {off:.2f} apart"
        raise GeometryError(
            f"the samples of the labels ({_words(old)}) are not those of the image "
            f"({_words(new)}): {by} (in samples of the image); give the image that they were drawn "
            "on, or resample (convert --resample)"
        )
    free = [axis for axis in range(3) if axis not in axes]
    for axis in np.flatnonzero(axes < 0):  # a single sample lies along whichever is left
        axes[axis] = free.pop(0)
    return start, axes, signs


def _words(grid: Grid) -> str:
    steps = " x ".join(f"{step:.4g}" for step in grid.spacing)
    return f"{' x '.join(map(str, grid.shape))} of {steps} {grid.unit} {grid.orientation}".strip()
