"""Turn outlines back into samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.plane import slice_rings
from delineate.contour.ring import Contour
from delineate.contour.structure import Structure
from delineate.errors import GeometryError, InputError
from delineate.imaging import Category, Grid, LabelMap

__all__ = ["fill", "fill_all", "fill_layers"]


def fill(
    contours: Sequence[Contour], grid: Grid, plane_tolerance_mm: float | None = None
) -> NDArray[np.bool_]:
    """Find the samples whose centres contours hold.

    A sample is inside where an odd number of rings of its slice surrounds it (even-odd rule), so
    that holes, holes drawn as one ring with a channel to the outside, and islands in holes need
    not be marked as such: neither ``is_hole`` nor the winding is looked at.

    Parameters
    ----------
    contours
        Each in the plane of one of the grid's slices; in any order. What reaches beyond the
        slice is cut off.
    grid
        Where to sample. ``fill(trace(labelmap, n), labelmap.grid)`` gives label ``n`` back
        exactly, on any grid.
    plane_tolerance_mm
        How far a contour may be from the plane of the slice nearest to it (px on a grid in px).
        ``None``: half the distance of slices.

    Returns
    -------
    array
        bool, ``(slice, row, column)``.

    Raises
    ------
    GeometryError
        If a contour lies in no slice of the grid, or contours of different planes are nearest to
        the same slice; the message says which.

    Notes
    -----
    A centre exactly on an edge counts as inside where the interior lies towards greater columns
    or, on an edge along a row, greater rows, else as outside (half-open, as usual in scan
    conversion [1]_, section 3.6). So polygons that share an edge never share a sample nor leave
    one out.

    References
    ----------
    .. [1] Foley, van Dam, Feiner and Hughes, "Computer Graphics: Principles and Practice", 2nd
       edition, Addison-Wesley 1990
    """
    volume = np.zeros(grid.shape, np.uint8)
    _paint(volume, 1, contours, grid, plane_tolerance_mm)
    return volume.view(np.bool_)


def fill_all(
    structures: Iterable[Structure], grid: Grid, plane_tolerance_mm: float | None = None
) -> LabelMap:
    """Fill structures into one label map, by the rules of :func:`fill`.

    Parameters
    ----------
    structures
        Their numbers become the labels, their categories those of the label map.
    grid
        Where to sample.
    plane_tolerance_mm
        As for :func:`fill`.

    Raises
    ------
    InputError
        If two structures hold the same sample (a label map cannot say so, and neither is silently
        preferred; fill them one by one instead) or have the same number.
    GeometryError
        As for :func:`fill`.
    """
    known = _by_number(structures)
    volume = _empty(known, grid)
    for structure in known.values():
        clashes = _paint_named(volume, structure, grid, plane_tolerance_mm)
        if clashes.any():
            other = int(clashes.argmax())
            raise InputError(
                f"structures {known[other].category.name!r} and {structure.category.name!r} "
                f"overlap in {clashes[other]} samples; a label map holds one label a sample, "
                "fill them one by one instead"
            )
    return LabelMap(volume, grid, {number: known[number].category for number in sorted(known)})


def fill_layers(
    structures: Iterable[Structure], grid: Grid, plane_tolerance_mm: float | None = None
) -> tuple[LabelMap, ...]:
    """Fill structures that may overlap into as few label maps as a greedy choice needs.

    Parameters
    ----------
    structures
        Each goes, in the order given, into the first layer in which it overlaps nothing.
    grid, plane_tolerance_mm
        As for :func:`fill_all`.

    Returns
    -------
    tuple of LabelMap
        At least one, all on ``grid``. Each structure is in exactly one, under its own number, as
        :func:`fill` gives it; one without a sample is in the first, as a category alone.

    Raises
    ------
    InputError
        If two structures have the same number.
    GeometryError
        As for :func:`fill`.
    """
    known = _by_number(structures)
    volumes = [_empty(known, grid)]
    members: list[dict[int, Category]] = [{}]
    for number, structure in known.items():
        for place, volume in enumerate(volumes):
            if not _paint_named(volume, structure, grid, plane_tolerance_mm).any():
                members[place][number] = structure.category
                break
            volume[volume == number] = 0  # what was free beside the overlap
        else:
            volumes.append(_empty(known, grid))
            members.append({number: structure.category})
            _paint_named(volumes[-1], structure, grid, plane_tolerance_mm)
    return tuple(
        LabelMap(volume, grid, dict(sorted(categories.items())))
        for volume, categories in zip(volumes, members, strict=True)
    )


def _by_number(structures: Iterable[Structure]) -> dict[int, Structure]:
    known: dict[int, Structure] = {}
    for structure in structures:
        if structure.number in known:
            raise InputError(
                f"structures {known[structure.number].category.name!r} and "
                f"{structure.category.name!r} both have the number {structure.number}; give each "
                "its own"
            )
        known[structure.number] = structure
    if known and not (min(known) >= 1 and max(known) <= 65535):
        raise InputError(f"expected structure numbers from 1 to 65535, got {sorted(known)}")
    return known


def _empty(known: Mapping[int, Structure], grid: Grid) -> NDArray[Any]:
    return np.zeros(grid.shape, np.uint8 if max(known, default=0) < 256 else np.uint16)


def _paint_named(
    volume: NDArray[Any],
    structure: Structure,
    grid: Grid,
    plane_tolerance_mm: float | None,
) -> NDArray[np.int64]:
    try:
        return _paint(volume, structure.number, structure.contours, grid, plane_tolerance_mm)
    except GeometryError as error:
        raise GeometryError(f"structure {structure.category.name!r}: {error}") from error


def _paint(
    volume: NDArray[np.uint8] | NDArray[np.uint16],
    label: int,
    contours: Sequence[Contour],
    grid: Grid,
    plane_tolerance_mm: float | None,
) -> NDArray[np.int64]:
    """Fill contours in place; gives how many samples of each other label they hold as well."""
    from delineate.contour.fill_kernel import paint  # numba is slow to import

    clashes = np.zeros(int(np.iinfo(volume.dtype).max) + 1, np.int64)
    rings = slice_rings(contours, grid, plane_tolerance_mm)
    if (np.diff(rings.slices) < 0).any():
        order = np.argsort(rings.slices, kind="stable")
        rings = slice_rings([contours[i] for i in order], grid, plane_tolerance_mm)
    paint(volume, label, rings.slices, rings.starts, rings.points, clashes)
    return clashes
