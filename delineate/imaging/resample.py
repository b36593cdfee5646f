"""Bring samples and labels from one grid to another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.imaging.grid import Grid
from delineate.imaging.image import Image, LabelMap

__all__ = ["resample", "resample_labels"]

_MAX_SUBSAMPLES = 8


def resample(image: Image, grid: Grid, outside: float | None = None) -> Image:
    """Sample an image on another grid by trilinear interpolation.

    Parameters
    ----------
    image
        Grey or with channels.
    grid
        Of the same unit. Need be neither aligned with nor inside the image's own.
    outside
        Value beyond the image's outermost sample centres by more than half a step. ``None``:
        -1024 for CT (air), else 0.

    Returns
    -------
    Image
        Float32 samples on ``grid``; within half a step of the outermost centres the border
        sample is repeated. Has no source: it is no longer what was read.
    """
    _same_unit(image.grid, grid)
    fill = (-1024.0 if image.modality == "CT" else 0.0) if outside is None else float(outside)
    matrix = image.grid.inverse @ grid.affine
    beyond = ~_inside(image.grid, grid)
    planes = [image.array[..., c] for c in range(len(image.channels))] or [image.array]
    sampled = []
    for plane in planes:
        out = np.empty(grid.shape, np.float32)
        _interpolate(plane.astype(np.float32, copy=False), matrix, out, order=1)
        out[beyond] = fill
        sampled.append(out)
    array = np.stack(sampled, axis=-1) if image.channels else sampled[0]
    return Image(array, grid, image.modality, image.channels)


def resample_labels(
    labelmap: LabelMap, grid: Grid, how: Literal["nearest", "majority"] = "nearest"
) -> LabelMap:
    """Bring labels to another grid; no label arises that was not there.

    Parameters
    ----------
    labelmap
        The labels.
    grid
        Of the same unit.
    how
        ``"nearest"``: the label of the nearest sample. ``"majority"``: the label that fills most
        of the new sample's volume, by regular subsamples about as fine as the old grid (at most
        8 an axis); at a tie the smaller label wins. The same as nearest where the new grid is
        the finer one.

    Returns
    -------
    LabelMap
        0 outside the old grid.
    """
    _same_unit(labelmap.grid, grid)
    if how == "nearest":
        array = _nearest(labelmap, grid)
    elif how == "majority":
        array = _majority(labelmap, grid)
    else:
        raise ValueError(f"expected how='nearest' or 'majority', got {how!r}")
    return LabelMap(array, grid, labelmap.categories)


def _nearest(labelmap: LabelMap, grid: Grid) -> NDArray[Any]:
    matrix = labelmap.grid.inverse @ grid.affine
    out = np.empty(grid.shape, labelmap.array.dtype)
    # Indices land within rounding of k + 0.5 where grids are multiples of each other; the nudge
    # makes that tie fall to the same side for every sample.
    matrix[:3, 3] += 1e-9
    _interpolate(labelmap.array, matrix, out, order=0)
    out[~_inside(labelmap.grid, grid)] = 0
    return out


def _majority(labelmap: LabelMap, grid: Grid) -> NDArray[Any]:
    steps = np.abs(labelmap.grid.inverse[:3, :3] @ grid.affine[:3, :3]).max(axis=0)
    counts = np.clip(np.ceil(steps - 1e-6), 1, _MAX_SUBSAMPLES).astype(int)
    if counts.max() == 1:
        return _nearest(labelmap, grid)
    shifts = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    offsets = np.array(np.meshgrid(*shifts, indexing="ij")).reshape(3, -1).T
    subsamples = []
    for offset in offsets:
        affine = grid.affine.copy()
        affine[:3, 3] = grid.to_world(offset)
        subsamples.append(_nearest(labelmap, Grid(grid.shape, affine, grid.unit)))
    stack = np.stack(subsamples)
    best: NDArray[Any] = stack[0].copy()
    mixed = (stack != best).any(axis=0)
    best[mixed] = _most_frequent(stack[:, mixed])
    return best


def _most_frequent(columns: NDArray[Any]) -> NDArray[Any]:
    """Most frequent value of each column ``(n, m)``, the smallest of several: ``(m,)``."""
    columns = np.sort(columns, axis=0)
    best: NDArray[Any] = columns[0].copy()
    votes = np.ones(columns.shape[1], np.uint16)
    run = votes.copy()
    for before, here in pairwise(columns):
        run = np.where(here == before, run + 1, 1).astype(np.uint16)
        better = run > votes
        best[better], votes[better] = here[better], run[better]
    return best


def _interpolate(
    array: NDArray[Any], matrix: NDArray[np.float64], out: NDArray[Any], order: int
) -> None:
    """Fill ``out`` from ``array``; ``matrix`` ``(4, 4)`` maps its indices to those of ``array``."""
    from scipy import ndimage  # slow to import, and not needed to speak of images

    steps = matrix[:3, :3]
    oblique = np.abs(steps - np.diag(np.diag(steps))) * out.shape
    ndimage.affine_transform(
        array,
        steps if oblique.max() > 1e-9 else np.diag(steps),  # a diagonal is done twice as fast
        matrix[:3, 3],
        output_shape=out.shape,
        output=out,
        order=order,
        mode="nearest",
    )


def _inside(old: Grid, new: Grid) -> NDArray[np.bool_]:
    """Which samples of ``new`` lie in ``old``, its outer half steps included: ``new.shape``."""
    matrix = old.inverse @ new.affine
    axes = [np.arange(n, dtype=np.float64) for n in new.shape]
    inside = np.ones(new.shape, dtype=bool)
    for axis, size in enumerate(old.shape):
        index = np.full((1, 1, 1), matrix[axis, 3])
        for along, steps in enumerate(axes):
            shift = matrix[axis, along] * steps
            if np.abs(shift).max() > 1e-9:  # on parallel axes one remains, and nothing is large
                index = index + np.expand_dims(shift, tuple({0, 1, 2} - {along}))
        inside &= (index >= -0.5 - 1e-6) & (index <= size - 0.5 + 1e-6)
    return inside


def _same_unit(old: Grid, new: Grid) -> None:
    if old.unit != new.unit:
        raise GeometryError(f"cannot bring a grid in {old.unit} to one in {new.unit}")
