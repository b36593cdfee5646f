"""Measure the labels of a label map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError
from delineate.imaging import Grid, Image, LabelMap

__all__ = ["measure"]

_FACES = ("first slice", "last slice", "first row", "last row", "first column", "last column")


def measure(labelmap: LabelMap, image: Image | None = None) -> dict[int, dict[str, Any]]:
    """Measure every label in one pass.

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
        ``area_mm2`` or ``area_px``
            Grids of one slice: samples times the area of one.
        ``largest_area_mm2`` or ``largest_area_px``, ``largest_area_slice``
            Area in the slice that has most samples, and the first such slice.
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
            that of the population, divided by n: IBSI's "variance" [1]_ is its square.

        A label without a sample has ``voxels`` 0, volume and areas 0.0, ``touches_border`` false,
        ``border_faces`` empty, and ``None`` for all else.

    Raises
    ------
    GeometryError
        If image and labels are on different grids.

    References
    ----------
    .. [1] Zwanenburg et al., "The Image Biomarker Standardization Initiative", Radiology 295(2),
       2020, doi:10.1148/radiol.2020191145. The volume is its "approximate volume" (voxel counting).
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
    count, sums, box, largest = tally(labels, size)
    numbers = sorted(set(np.flatnonzero(count).tolist()) - {0} | set(labelmap.categories))
    found = {n: _shape(labelmap.grid, count[n], sums[n], box[n], largest[n]) for n in numbers}
    if image is not None and not image.channels:
        suffix = "hu" if image.modality == "CT" else "value"
        values = _values(labels, image, box[count > 0], size)
        for n in numbers:
            found[n].update(_intensity(values[n], suffix))
    return found


def _shape(
    grid: Grid,
    count: np.int64,
    sums: NDArray[np.int64],
    box: NDArray[np.int64],
    largest: NDArray[np.int64],
) -> dict[str, Any]:
    unit = grid.unit
    area = "mm2" if unit == "mm" else "px"
    voxels = int(count)
    out: dict[str, Any] = {"voxels": voxels}
    if unit == "mm":
        out["volume_ml"] = voxels * grid.voxel_size / 1000
    if grid.shape[0] == 1:
        out[f"area_{area}"] = voxels * grid.pixel_area
    out[f"largest_area_{area}"] = int(largest[0]) * grid.pixel_area
    out["largest_area_slice"] = int(largest[1]) if voxels else None
    if not voxels:
        out |= dict.fromkeys((f"centroid_{unit}", f"extent_{unit}", "bounding_box", "slices"))
        return out | {"touches_border": False, "border_faces": []}
    low, high = box[0::2].tolist(), box[1::2].tolist()
    faces = _faces(low, high, grid.shape)
    return out | {
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


def _values(
    labels: NDArray[Any], image: Image, boxes: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    from delineate.contour.measure_kernel import tally_values

    whole = np.zeros(6, np.int64)
    if len(boxes):
        whole[0::2] = boxes[:, 0::2].min(axis=0)
        whole[1::2] = boxes[:, 1::2].max(axis=0)
    return tally_values(labels, _plain(image.array), whole, size)


def _intensity(values: NDArray[np.float64], suffix: str) -> dict[str, float | None]:
    n, shift, total, squares, low, high = values.tolist()
    keys = [f"{name}_{suffix}" for name in ("mean", "sd", "min", "max")]
    if n == 0:
        return dict.fromkeys(keys)
    mean = total / n
    sd = math.sqrt(max(squares / n - mean * mean, 0.0))
    return dict(zip(keys, (shift + mean, sd, low, high), strict=True))


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """C order, native bytes and read-only: of each dtype one compiled version is enough."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view()
    plain.setflags(write=False)
    return plain


def _rounded(spacing: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(round(step, 4) for step in spacing)
