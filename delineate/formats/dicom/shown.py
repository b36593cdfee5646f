"""What a viewer shows of a series: every slice of it, also those that reading leaves out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.formats.dicom.layout import layout_of
from delineate.formats.dicom.series import find_stacks
from delineate.formats.dicom.slices import Entry, Slice
from delineate.formats.particulars import Problem
from delineate.imaging import Grid

__all__ = ["shown_slices"]


def shown_slices(entries: Iterable[Entry], series_uid: str, grid: Grid) -> NDArray[np.intp]:
    """Slice of the grid that each image shows which a viewer has of a series.

    Cornerstone, and so OHIF, sorts all instances of a series along the cross product of its row
    and column directions, and makes one volume of them.

    Parameters
    ----------
    entries
        All files of the image; those of other series are passed over.
    series_uid
        SeriesInstanceUID.
    grid
        What reading made of the series, or of a part of it.

    Returns
    -------
    array of int
        One number an image, in the viewer's order: the nearest slice of ``grid``, -1 where an
        image lies beside it.

    Raises
    ------
    GeometryError
        If its images differ in size or direction, so that no viewer makes a volume of them.
    """
    found, _ = find_stacks(entries)
    by_instance: dict[tuple[str, int], Slice] = {}
    for stack in found:
        for one in (*stack.slices, *(left for left, _ in stack.left_out)):
            if one.series_uid == series_uid:
                by_instance.setdefault((one.sop_instance_uid, one.frame), one)
    slices = sorted(by_instance.values(), key=lambda one: (one.sop_instance_uid, one.frame))
    size = (one := slices[0]).rows, one.columns
    layout = layout_of(slices)
    alike = all(
        (one.rows, one.columns) == size and _parallel(one.orientation, slices[0].orientation)
        for one in slices
    )
    if not alike or isinstance(layout, Problem) or size != grid.shape[1:]:
        raise GeometryError(
            f"the {len(slices)} images of series {series_uid} differ in size or direction, so no "
            "viewer makes a volume of them that labels could be laid over; split the series"
        )
    along = grid.to_index(layout.places)[:, 0]
    nearest = np.rint(along).astype(np.intp)
    return np.where((nearest >= 0) & (nearest < grid.shape[0]), nearest, -1)


def _parallel(a: tuple[float, ...] | None, b: tuple[float, ...] | None) -> bool:
    if a is None or b is None:
        return False
    return max(abs(p - q) for p, q in zip(a, b, strict=True)) <= 1e-3
