"""Trace the outlines of label maps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.contour.ring import Contour, unchecked
from delineate.contour.structure import Structure
from delineate.imaging import Category, LabelMap

__all__ = ["ContourStyle", "trace", "trace_all"]

ContourStyle = Literal["edge", "midpoint"]

_SLABS_A_WORKER = 4  # some slices hold more than others


def trace(
    labelmap: LabelMap, label: int, style: ContourStyle = "edge", workers: int = 1
) -> tuple[Contour, ...]:
    """Outline one label, slice by slice.

    Filling the contours at sample centres gives the label back exactly, whatever its shape and
    whatever the style.

    Parameters
    ----------
    labelmap
        Contours lie in the planes of its first axis, through the sample centres.
    label
        The label to outline, 1 to 65535. One that is absent has no contours.
    style
        ``"edge"``: along the edges between samples inside and outside ("cracks"); the area of the
        outer rings less that of the holes is the number of samples times the area of one [1]_.
        ``"midpoint"``: from the middle of one such edge to that of the next, which cuts the
        corners: marching squares [2]_ at one half.
    workers
        How many threads share the slices. What comes out is the same, to the last bit.

    Returns
    -------
    tuple of Contour
        From the first slice to the last; each outer ring before its holes, outer rings in the
        order of their first sample. Of several points in a line only the ends are kept.

    Notes
    -----
    Samples that meet only at a corner are not connected: each 4-connected component has an outer
    ring of its own. Edge rings may touch at corners, and a hole may touch its outer ring at one,
    but none passes a corner twice, crosses or shares an edge with another of the same label.
    Midpoint rings of one label never touch; holes that meet at a corner are one, and a bay that
    closes at a corner is open. In both styles every outer ring with its holes is a valid polygon.

    Outer rings run counter-clockwise and holes clockwise when the column index is drawn to the
    right and the row index *upwards* (the signed area of ``(column, row)`` is positive); on a
    screen, where rows grow downwards, it is the other way round. The sense belongs to the indices:
    a grid that mirrors the world mirrors it too.

    References
    ----------
    .. [1] Rosenfeld, "Connectivity in digital pictures", J. ACM 17(1), 1970,
       doi:10.1145/321556.321570
    .. [2] Lorensen and Cline, "Marching cubes", SIGGRAPH 1987, doi:10.1145/37401.37422

    Examples
    --------
    >>> import numpy as np
    >>> from delineate.imaging import Grid
    >>> labelmap = LabelMap(np.ones((1, 1, 2), np.uint8), Grid.regular((1, 1, 2)), {})
    >>> trace(labelmap, 1)[0].points.tolist()
    [[-0.5, -0.5, 0.0], [1.5, -0.5, 0.0], [1.5, 0.5, 0.0], [-0.5, 0.5, 0.0]]
    """
    if not 1 <= label <= 65535:
        raise ValueError(f"expected a label from 1 to 65535, got {label}")
    if label > np.iinfo(labelmap.array.dtype).max:
        return ()
    return tuple(_rings(labelmap, label, style, workers).get(label, ()))


def trace_all(
    labelmap: LabelMap, style: ContourStyle = "edge", workers: int = 1
) -> tuple[Structure, ...]:
    """Outline every label in one pass over the volume.

    Parameters
    ----------
    labelmap
        Contours lie in the planes of its first axis.
    style, workers
        As for :func:`trace`.

    Returns
    -------
    tuple of Structure
        One for each category and for each label that is there without one (named ``label N``), by
        number, with the contours that :func:`trace` gives. A category without a sample has none.
    """
    rings = _rings(labelmap, 0, style, workers)
    return tuple(
        Structure(
            number,
            labelmap.categories.get(number) or Category(f"label {number}"),
            tuple(rings.get(number, ())),
        )
        for number in sorted(rings.keys() | labelmap.categories.keys())
    )


def _rings(
    labelmap: LabelMap, only: int, style: ContourStyle, workers: int
) -> dict[int, list[Contour]]:
    if style not in ("edge", "midpoint"):
        raise ValueError(f"expected style='edge' or 'midpoint', got {style!r}")
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    labels = _contiguous(labelmap.array)
    trace_slab = partial(_trace_slab, labels, labelmap.grid.affine, only, style)
    rings: dict[int, list[Contour]] = {}
    parts = min(len(labels), 1 if workers == 1 else _SLABS_A_WORKER * workers)
    ends = [len(labels) * part // parts for part in range(parts + 1)]
    if parts == 1:
        _collect(rings, *trace_slab(0, len(labels)))
        return rings
    with ThreadPoolExecutor(workers) as pool:
        for points, table in pool.map(trace_slab, ends[:-1], ends[1:]):
            _collect(rings, points, table)
    return rings


def _trace_slab(
    labels: NDArray[Any],
    affine: NDArray[np.float64],
    only: int,
    style: ContourStyle,
    first: int,
    stop: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points in the world, and the table of rings in the order of contours."""
    from delineate.contour.midpoint_kernel import midpoint_rings  # numba is slow to import
    from delineate.contour.trace_kernel import crack_rings, to_world

    corners, table = crack_rings(labels, first, stop, only, style == "edge")
    if style == "midpoint":
        corners, table = midpoint_rings(corners, table)
    points = to_world(corners, table, affine)
    points.setflags(write=False)
    return points, table[np.lexsort(table.T[2::-1])]


def _collect(
    rings: dict[int, list[Contour]], points: NDArray[np.float64], table: NDArray[np.int64]
) -> None:
    for label, _, is_hole, _, start, stop in table.tolist():
        rings.setdefault(label, []).append(unchecked(points[start:stop], bool(is_hole)))


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """In the layout that is compiled for."""
    labels = np.ascontiguousarray(array).view()
    labels.setflags(write=False)
    return labels
