"""Other planes to outline: along the body's axes, or any at all."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delineate.errors import GeometryError
from delineate.imaging import Grid, LabelMap, axis_order, resample_labels

__all__ = ["Plane", "plane_grid", "reslice"]

Plane = Literal["axial", "sagittal", "coronal"]

# As a reader looks at them: head up, or the nose up; the patient's left, or back, on the right.
_ORIENTATIONS = {"axial": "SPL", "sagittal": "LIP", "coronal": "PIL"}
_MOST_SAMPLES = 2**31


def reslice(labelmap: LabelMap, plane: Plane | Grid) -> LabelMap:
    """Turn a label map so that contours of it lie in another plane.

    Parameters
    ----------
    labelmap
        On any grid; in mm for a plane by name.
    plane
        ``"axial"``, ``"sagittal"``, ``"coronal"``: the same samples, axes in another order. Slices
        are those of the grid axis nearest to the body's; nothing is resampled, and contours of the
        result are exact as ever. A tilted or oblique grid keeps its own planes.
        A grid: its samples, each with the label of the voxel that holds its centre, 0 where none
        does (see :func:`plane_grid` for one of an oblique plane).

    Returns
    -------
    LabelMap
        By name: slices from the feet to the head, from right to left or from front to back; rows
        downwards, columns to the right as a reader looks at them (orientation ``"SPL"``, ``"LIP"``
        or ``"PIL"``).

    Raises
    ------
    GeometryError
        If a plane is named for a picture in pixels, or the units of the grids differ.

    Examples
    --------
    >>> labelmap = LabelMap(np.ones((2, 3, 4), np.uint8), Grid.regular((2, 3, 4)), {})
    >>> reslice(labelmap, "sagittal").grid.shape
    (4, 2, 3)
    """
    if isinstance(plane, Grid):
        return resample_labels(labelmap, plane)
    if plane not in _ORIENTATIONS:
        raise ValueError(f"expected one of {', '.join(_ORIENTATIONS)} or a grid, got {plane!r}")
    grid, wanted = labelmap.grid, _ORIENTATIONS[plane]
    order, flips = axis_order(grid.orientation, wanted)
    turned: NDArray[Any] = np.flip(
        labelmap.array.transpose(order), tuple(np.flatnonzero(flips).tolist())
    )
    array = np.empty(turned.shape, turned.dtype)
    slices = np.moveaxis(turned, order.index(0), 0), np.moveaxis(array, order.index(0), 0)
    for old, new in zip(*slices, strict=True):  # as they lie in memory: seven times as fast
        new[...] = old
    return LabelMap(array, grid.oriented(wanted), labelmap.categories)


def plane_grid(
    grid: Grid, through_mm: ArrayLike, normal: ArrayLike, spacing_mm: float | None = None
) -> Grid:
    """Lay a grid of one slice through a volume, wide enough to hold every cut of it.

    Parameters
    ----------
    grid
        Of the volume, in mm.
    through_mm
        ``(x, y, z)``: a point of the plane. A sample lies there.
    normal
        ``(x, y, z)``, of any length: what the plane is at right angles to.
    spacing_mm
        Of its square samples; ``None``: the least spacing of ``grid``.

    Returns
    -------
    Grid
        Rows run towards the feet as far as the plane allows (towards the back in a plane at
        right angles to the body's axis), columns at right angles to them.

    Raises
    ------
    GeometryError
        If the normal is zero, a number is not finite, or the grid is one of pixels.
    """
    if grid.unit != "mm":
        raise GeometryError("expected a grid in mm, got a picture in pixels, which has one plane")
    point, across = np.asarray(through_mm, np.float64), np.asarray(normal, np.float64)
    length = float(np.linalg.norm(across)) if across.shape == (3,) else 0.0
    if point.shape != (3,) or not np.isfinite(point).all() or not 0.0 < length < np.inf:
        raise GeometryError(
            f"expected a point (x, y, z) and a normal (x, y, z) other than zero, got {point} "
            f"and {across}"
        )
    spacing = min(grid.spacing) if spacing_mm is None else float(spacing_mm)
    if not 0.0 < spacing < np.inf:
        raise GeometryError(f"expected a positive spacing_mm, got {spacing_mm}")
    axes = _axes(across / length)
    faces = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in grid.shape), indexing="ij"))
    reach = (grid.to_world(faces.reshape(3, -1).T) - point) @ axes[:, 1:] / spacing
    low, high = np.floor(reach.min(axis=0)), np.ceil(reach.max(axis=0))
    sizes = high - low + 1
    if sizes.prod() > _MOST_SAMPLES:
        raise GeometryError(
            f"a plane of {sizes[0]:.0f} x {sizes[1]:.0f} samples is too large; choose a spacing_mm "
            f"greater than {spacing}"
        )
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = point + axes[:, 1:] @ low * spacing
    return Grid((1, int(sizes[0]), int(sizes[1])), affine)


def _axes(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit steps of slice, row and column, as columns."""
    down = np.array((0.0, 1.0, 0.0) if abs(normal[2]) > 0.999 else (0.0, 0.0, -1.0))
    rows = down - normal * (down @ normal)
    rows /= np.linalg.norm(rows)
    return np.stack((normal, rows, np.cross(normal, rows)), axis=1)
