"""RT Structure Set: outlines as DICOM, the form that treatment planning and most viewers read.

Reading keeps contours as they were drawn. DICOM knows holes as rings within rings, as rings of
type ``CLOSEDPLANAR_XOR``, and as one ring with a channel ("keyhole") to the outside; filling by
the even-odd rule (:func:`delineate.contour.fill`) gives the same for all three.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour import fill, fill_all
from delineate.errors import GeometryError
from delineate.formats.rtstruct_reading import RtStruct, read
from delineate.formats.rtstruct_writing import write
from delineate.imaging import Grid, LabelMap

__all__ = ["RtStruct", "masks", "read", "to_labelmap", "write"]


def masks(rtstruct: RtStruct, grid: Grid) -> dict[str, NDArray[np.bool_]]:
    """Fill every ROI for itself, so that they may overlap.

    Parameters
    ----------
    rtstruct
        Drawn in the world of ``grid``.
    grid
        Where to sample.

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
            found[name] = fill(structure.contours, grid)
        except GeometryError as error:
            raise GeometryError(f"ROI {name!r}: {error}") from error
    return found


def to_labelmap(rtstruct: RtStruct, grid: Grid) -> LabelMap:
    """Fill all ROIs into one label map, by number.

    Raises
    ------
    InputError
        If two of them hold the same sample; use :func:`masks` then.
    GeometryError
        If a contour lies in no slice of the grid.
    """
    return fill_all(rtstruct.structures, grid)
