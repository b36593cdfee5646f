"""Measure the labels of a label map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.diameter import in_slice, in_space
from delineate.contour.surface_cell import pattern_sizes
from delineate.errors import GeometryError
from delineate.imaging import Grid, Image, LabelMap

__all__ = ["measure"]

_FACES = ("first slice", "last slice", "first row", "last row", "first column", "last column")
_PERCENTILES = (5, 25, 50, 75, 95)


def measure(labelmap: LabelMap, image: Image | None = None) -> dict[int, dict[str, Any]]:
    """Measure every label.

    Parameters
    ----------
    labelmap
        On a grid in mm or px.
    image
        Samples on the same grid, for the intensities. One with channels has none.

    Returns
    -------
    dict
        By label, ascending: every category and every label that is there. The values are plain
        numbers, strings and lists, so that ``json`` takes them; the keys are the same for every
        label of one grid. UNIT is ``mm`` or ``px``.

        ``voxels``
            Number of samples.
        ``volume_ml``
            Grids in mm: samples times the volume of one, 1 ml being 1000 mm³.
        ``mesh_volume_ml``, ``surface_area_mm2``
            Grids in mm of several slices: volume and area of the mesh that marching cubes [2]_ lays
            through the middles between samples inside and outside.
        ``area_mm2`` or ``area_px``, ``perimeter_UNIT``
            Grids of one slice: samples times the area of one; length of the lines, round holes as
            well, that marching squares lays through the same middles.
        ``largest_area_mm2`` or ``largest_area_px``, ``largest_area_slice``
            Area in the slice that has most samples, and the first such slice.
        ``longest_diameter_UNIT``, ``longest_diameter_slice``, ``longest_diameter_ends_UNIT``
            Longest straight line in any one slice, from edge to edge (RECIST [3]_), the first such
            slice, and the world positions ``[[x, y, z], [x, y, z]]`` of its ends. An edge is the
            middle between a sample inside and its neighbour outside.
        ``short_axis_UNIT``, ``short_axis_ends_UNIT``
            Longest line at right angles to that in the same slice, across the convex hull.
        ``diameter_3d_mm``, ``diameter_3d_ends_mm``
            Grids in mm of several slices: longest straight line from edge to edge in space.
        ``centroid_UNIT``
            ``[x, y, z]``, mean of the sample centres; may lie outside a bent organ.
        ``extent_UNIT``
            Size of the bounding box along ``[slice, row, column]``, faces to faces. Along the
            axes of the grid, so that on a tilted one they are not at right angles.
        ``bounding_box``
            ``[[slice, row, column], [slice, row, column]]``; the second is exclusive.
        ``slices``
            ``[first, last]``, both inclusive.
        ``touches_border``
            Whether a sample lies on the border of the grid: the organ may be cut by the field of
            view. The two faces of a grid of one slice do not count.
        ``border_faces``
            Which: ``"first slice"``, ``"last slice"`` (cut through the plane), ``"first row"``,
            ``"last row"``, ``"first column"``, ``"last column"`` (cut in the plane).
        ``mean_hu``, ``sd_hu``, ``min_hu``, ``max_hu``; ``mean_value``, ... where it is no CT
            Only with an image. Samples that are NaN or infinite are left out. The deviation is
            that of the population, divided by n: IBSI's "variance" is its square.
        ``p5_hu``, ``p25_hu``, ``p50_hu``, ``p75_hu``, ``p95_hu``; ``p5_value``, ...
            Percentiles: of n sorted values the one numbered p (n - 1) / 100 from 0, and between
            two the straight line (type 7 of Hyndman & Fan [4]_, numpy's default).

        A label without a sample has ``voxels`` 0, volumes and areas and the perimeter 0.0,
        ``touches_border`` false, ``border_faces`` empty, and ``None`` for all else.

    Raises
    ------
    GeometryError
        If image and labels are on different grids.

    Notes
    -----
    ``docs/measurements.md`` has the definitions, and how far off each is on bodies of known size.

    References
    ----------
    .. [1] Zwanenburg et al., "The Image Biomarker Standardization Initiative", Radiology 295(2),
       2020, doi:10.1148/radiol.2020191145. ``volume_ml`` is its "approximate volume" (voxel
       counting), ``mesh_volume_ml`` its "volume", ``surface_area_mm2`` its "surface area" and
       ``diameter_3d_mm`` its "maximum 3D diameter".
    .. [2] Lorensen & Cline, "Marching cubes", SIGGRAPH 1987, doi:10.1145/37401.37422
    .. [3] Eisenhauer et al., "New response evaluation criteria in solid tumours: revised RECIST
       guideline (version 1.1)", Eur. J. Cancer 45(2), 2009, doi:10.1016/j.ejca.2008.10.026
    .. [4] Hyndman & Fan, "Sample quantiles in statistical packages", Am. Stat. 50(4), 1996,
       doi:10.1080/00031305.1996.10473566
    """
    from delineate.contour.measure_kernel import tally  # numba is slow to import

    if image is not None and not image.grid.matches(labelmap.grid):
        raise GeometryError(
            f"the image's grid ({image.grid.shape} at {_rounded(image.grid.spacing)} "
            f"{image.grid.unit}) is not that of the labels ({labelmap.grid.shape} at "
            f"{_rounded(labelmap.grid.spacing)} {labelmap.grid.unit}); resample one of them"
        )
    labels = _plain(labelmap.array)
    size = max(int(labels.max()), max(labelmap.categories, default=0)) + 1
    count, sums, box, largest, spans = tally(labels, size)
    numbers = sorted({*np.flatnonzero(count).tolist(), *labelmap.categories})
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    ends = np.searchsorted(spans[:, 0], np.arange(size + 1))
    borders = _borders(labels, numbers, count, box, labelmap.grid)
    samples = None if image is None or image.channels else _plain(image.array)
    found = {}
    for n in numbers:
        own = spans[ends[n] : ends[n + 1]]
        one = _sizes(labelmap.grid, int(count[n]), largest[n]) | borders[n]
        one |= _diameters(own, labelmap.grid)
        one |= _place(labelmap.grid, int(count[n]), sums[n], box[n])
        if image is not None and samples is not None:
            one |= _intensity(labels, image, samples, own, int(count[n]))
        found[n] = one
    return found


def _sizes(grid: Grid, voxels: int, largest: NDArray[np.int64]) -> dict[str, Any]:
    area = "mm2" if grid.unit == "mm" else "px"
    out: dict[str, Any] = {"voxels": voxels}
    if grid.unit == "mm":
        out["volume_ml"] = voxels * grid.voxel_size / 1000
    if grid.shape[0] == 1:
        out[f"area_{area}"] = voxels * grid.pixel_area
    out[f"largest_area_{area}"] = int(largest[0]) * grid.pixel_area
    out["largest_area_slice"] = int(largest[1]) if voxels else None
    return out


def _borders(
    labels: NDArray[Any], numbers: list[int], count: NDArray[np.int64], box: Any, grid: Grid
) -> dict[int, dict[str, float]]:
    """Mesh volume and surface, or the perimeter, of each label."""
    from delineate.contour.measure_kernel import patterns

    flat = grid.shape[0] == 1
    if not flat and grid.unit != "mm":
        return {n: {} for n in numbers}
    names = (f"perimeter_{grid.unit}",) if flat else ("mesh_volume_ml", "surface_area_mm2")
    found = {n: dict.fromkeys(names, 0.0) for n in numbers}
    there = np.array([n for n in numbers if count[n]], np.int64)
    if not len(there):
        return found
    whole = np.zeros(6, np.int64)
    whole[0::2], whole[1::2] = box[there, 0::2].min(axis=0), box[there, 1::2].max(axis=0)
    place = np.zeros(len(count), np.int64)
    place[there] = np.arange(len(there))
    table = patterns(labels, whole, place, len(there))
    matrix = grid.affine[:3, :3]
    if flat:
        columns = [table[:, :16] @ _line_lengths(matrix)]
    else:
        areas, volumes = pattern_sizes(matrix)
        # Each sample is in eight cells; what those without a border hold is what the others lack.
        volumes -= np.array([n.bit_count() for n in range(256)]) / 8 * grid.voxel_size
        columns = [(count[there] * grid.voxel_size + table @ volumes) / 1000, table @ areas]
    for label, *values in zip(there.tolist(), *columns, strict=True):
        found[label] = dict(zip(names, map(float, values), strict=True))
    return found


def _line_lengths(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(16,)``: length of the lines that marching squares lays through each pattern of a slice."""
    down, right = matrix[:, 1] / 2, matrix[:, 2] / 2
    lengths = np.zeros(16)
    for pattern in range(16):
        corners = [bool(pattern >> n & 1) for n in range(4)]
        if pattern in (0b0011, 0b1100):
            lengths[pattern] = 2 * np.linalg.norm(right)
        elif pattern in (0b0101, 0b1010):
            lengths[pattern] = 2 * np.linalg.norm(down)
        else:
            # Corners 0 and 3 are cut off along one diagonal, 1 and 2 along the other.
            alone = sum(corners) < 3
            for corner, inside in enumerate(corners):
                if inside == alone:
                    sense = 1 if corner in (1, 2) else -1
                    lengths[pattern] += np.linalg.norm(down + sense * right)
    return lengths


def _diameters(spans: NDArray[np.int32], grid: Grid) -> dict[str, Any]:
    unit = grid.unit
    names = [f"longest_diameter_{unit}", "longest_diameter_slice", f"longest_diameter_ends_{unit}"]
    names += [f"short_axis_{unit}", f"short_axis_ends_{unit}"]
    spatial = unit == "mm" and grid.shape[0] > 1
    if spatial:
        names += ["diameter_3d_mm", "diameter_3d_ends_mm"]
    if not len(spans):
        return dict.fromkeys(names)
    long, across = in_slice(spans, grid)
    values = [long.length, long.slice_number, long.ends.tolist()]
    values += [across.length, across.ends.tolist()]
    if spatial:
        deep = in_space(spans, grid)
        values += [deep.length, deep.ends.tolist()]
    return dict(zip(names, values, strict=True))


def _place(
    grid: Grid, voxels: int, sums: NDArray[np.int64], box: NDArray[np.int64]
) -> dict[str, Any]:
    unit = grid.unit
    if not voxels:
        nowhere = dict.fromkeys((f"centroid_{unit}", f"extent_{unit}", "bounding_box", "slices"))
        return nowhere | {"touches_border": False, "border_faces": []}
    low, high = box[0::2].tolist(), box[1::2].tolist()
    faces = _faces(low, high, grid.shape)
    return {
        f"centroid_{unit}": grid.to_world(sums / (2 * voxels)).tolist(),
        f"extent_{unit}": ((box[1::2] - box[0::2]) * np.asarray(grid.spacing)).tolist(),
        "bounding_box": [low, high],
        "slices": [low[0], high[0] - 1],
        "touches_border": bool(faces),
        "border_faces": faces,
    }


def _faces(low: list[int], high: list[int], shape: tuple[int, int, int]) -> list[str]:
    touched = [
        touches
        for axis, size in enumerate(shape)
        for touches in (low[axis] == 0, high[axis] == size)
    ]
    if shape[0] == 1:
        touched[:2] = False, False
    return [face for face, touches in zip(_FACES, touched, strict=True) if touches]


def _intensity(
    labels: NDArray[Any], image: Image, samples: NDArray[Any], spans: NDArray[np.int32], voxels: int
) -> dict[str, float | None]:
    from delineate.contour.measure_kernel import collect, squares

    suffix = "hu" if image.modality == "CT" else "value"
    names = [f"{name}_{suffix}" for name in ("mean", "sd", "min", "max")]
    names += [f"p{part}_{suffix}" for part in _PERCENTILES]
    values = np.empty(voxels, samples.dtype)
    collect(labels, samples, spans, values)
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not len(values):
        return dict.fromkeys(names)
    mean = float(values.mean(dtype=np.float64))
    sd = math.sqrt(squares(values, mean) / len(values))
    numbers = (mean, sd, values.min(), values.max())
    return dict(zip(names, map(float, (*numbers, *_percentiles(values))), strict=True))


def _percentiles(values: NDArray[Any]) -> list[float]:
    ranks = [part * (len(values) - 1) / 100 for part in _PERCENTILES]
    low = [int(rank) for rank in ranks]
    high = [min(n + 1, len(values) - 1) for n in low]
    values.partition(sorted({*low, *high}))
    return [
        float(values[a]) + (rank - a) * (float(values[b]) - float(values[a]))
        for rank, a, b in zip(ranks, low, high, strict=True)
    ]


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """C order, native bytes and read-only: of each dtype one compiled version is enough."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view()
    plain.setflags(write=False)
    return plain


def _rounded(spacing: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(round(step, 4) for step in spacing)
