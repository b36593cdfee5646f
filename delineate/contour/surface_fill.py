"""Samples within a closed surface, and how far a surface is from what it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.contour.surface import Surface
from delineate.errors import GeometryError
from delineate.imaging import Grid, LabelMap

__all__ = ["SurfaceLoss", "fill_surface", "surface_loss"]

_DECIMALS = 6  # of a sample, as for contours


@dataclass(frozen=True, slots=True)
class SurfaceLoss:
    """What a mesh loses of the voxels that it was made of.

    Parameters
    ----------
    dice
        Of the samples within the mesh against those of the label; 1 where both are empty.
    volume_ml
        Of the mesh.
    voxels_ml
        Of the label.
    largest_mm
        No point of the mesh is further from the voxels' faces, and none of those from it.
    """

    dice: float
    volume_ml: float
    voxels_ml: float
    largest_mm: float


def fill_surface(surface: Surface, grid: Grid) -> NDArray[np.bool_]:
    """Find the samples whose centres a closed surface holds.

    Parameters
    ----------
    surface
        Closed; each part may face outwards or inwards. A centre is inside if the surface goes round
        it, however often.
    grid
        The grid to fill; need not be the one that the surface was made on.

    Returns
    -------
    array of bool
        ``grid.shape``.

    Raises
    ------
    GeometryError
        If the surface is open, or the grid in pixels.
    """
    from delineate.contour.surface_fill_kernel import closed, windings  # numba is slow to import

    if grid.unit != "mm":
        raise GeometryError("a surface lies in mm, and the grid is in pixels")
    if not closed(surface.faces):
        raise GeometryError(
            f"expected a closed surface of {surface.category.name!r}, got one with edges of a "
            "single triangle; only a closed one has samples inside"
        )
    filled = np.zeros(grid.shape, np.bool_)
    if not len(surface.faces):
        return filled
    points = np.round(grid.to_index(surface.vertices), _DECIMALS)
    low = np.clip(np.floor(points.min(axis=0)), 0, grid.shape).astype(np.int64)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, 0, grid.shape).astype(np.int64)
    if (high <= low).any():
        return filled
    turns = windings(points - low, surface.faces, high - low)
    np.cumsum(turns, axis=2, out=turns)
    filled[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = turns != 0
    return filled


def surface_loss(
    surface: Surface, labelmap: LabelMap, written: Surface | None = None
) -> SurfaceLoss:
    """Say what a mesh loses of the label that it was made of.

    Parameters
    ----------
    surface
        From :func:`~delineate.contour.surface` or, given ``written``, from a file.
    labelmap
        What it was made of; the label is ``surface.number``.
    written
        What was written to that file. Its triangles must be in the same order, as they are in all
        files that :mod:`delineate.formats.mesh` writes.

    Raises
    ------
    ValueError
        If the deviation of neither is known, or both have not the same triangles.
    """
    known = written or surface
    if known.deviation_mm is None:
        raise ValueError("the deviation of a surface from a file is known only beside the written")
    moved = 0.0
    if written is not None:
        if len(written.faces) != len(surface.faces):
            raise ValueError(
                f"expected the {len(written.faces)} triangles that were written, got "
                f"{len(surface.faces)}"
            )
        apart = surface.vertices[surface.faces] - written.vertices[written.faces]
        if len(apart):
            moved = float(np.sqrt((apart**2).sum(axis=2).max()))
    filled = fill_surface(surface, labelmap.grid)
    there = labelmap.array == surface.number
    sizes = int(np.count_nonzero(filled)) + int(np.count_nonzero(there))
    both = int(np.count_nonzero(filled & there))
    return SurfaceLoss(
        dice=2 * both / sizes if sizes else 1.0,
        volume_ml=surface.volume_ml,
        voxels_ml=int(np.count_nonzero(there)) * labelmap.grid.voxel_size / 1000,
        largest_mm=known.deviation_mm + moved,
    )
