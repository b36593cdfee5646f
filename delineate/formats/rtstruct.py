"""RT Structure Set: outlines as DICOM, the form that treatment planning and most viewers read.

Reading keeps contours as they were drawn. DICOM knows holes as rings within rings, as rings of
type ``CLOSEDPLANAR_XOR``, and as one ring with a channel ("keyhole") to the outside; filling by
the even-odd rule (:func:`delineate.contour.fill`) gives the same for all three.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour import fill, fill_all, fill_layers
from delineate.errors import GeometryError
from delineate.formats.rtstruct_reading import RtStruct, read
from delineate.formats.rtstruct_writing import write
from delineate.imaging import Grid, LabelMap

__all__ = ["RtStruct", "masks", "read", "to_labelmap", "to_layers", "write"]


def masks(
    rtstruct: RtStruct, grid: Grid, plane_tolerance_mm: float | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Fill every ROI for itself, so that they may overlap.

    Parameters
    ----------
    rtstruct
        Drawn in the world of ``grid``.
    grid
        Where to sample.
    plane_tolerance_mm
        How far a contour may lie from the plane of the slice nearest to it, and is then taken as
        drawn there. ``None``: half the distance of slices.

    Returns
    -------
    dict
        Bool ``(slice, row, column)`` by the name of the ROI; where a name comes twice, the later
        ones get their number appended (``"GTV (4)"``).

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the grid.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for structure in rtstruct.structures:
        name = structure.category.name
        if name in found:
            name = f"{name} ({structure.number})"
        try:
            found[name] = fill(structure.contours, grid, plane_tolerance_mm)
        except GeometryError as error:
            raise GeometryError(f"ROI {name!r}: {error}") from error
    return found


def to_labelmap(
    rtstruct: RtStruct, grid: Grid, plane_tolerance_mm: float | None = None
) -> LabelMap:
    """Fill all ROIs into one label map, by number.

    Parameters
    ----------
    rtstruct, grid, plane_tolerance_mm
        As for :func:`masks`.

    Raises
    ------
    InputError
        If two of them hold the same sample; use :func:`to_layers` then.
    GeometryError
        If a contour lies in no slice of the grid.
    """
    return fill_all(rtstruct.structures, grid, plane_tolerance_mm)


def to_layers(
    rtstruct: RtStruct, grid: Grid, plane_tolerance_mm: float | None = None
) -> tuple[LabelMap, ...]:
    """Fill all ROIs, by number, into as few label maps as their overlaps need.

    Parameters
    ----------
    rtstruct, grid, plane_tolerance_mm
        As for :func:`masks`.

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the grid.
    """
    return fill_layers(rtstruct.structures, grid, plane_tolerance_mm)
