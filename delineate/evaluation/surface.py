"""How far two surfaces lie apart.

Two definitions. ``"voxels"``: a surface is its samples that have a neighbour outside across a
face, each counts as one, at its centre (MONAI, Metrics Reloaded). ``"elements"``: it is the pieces
of marching cubes between samples, each counts by its area, at the corner that it passes
(DeepMind's surface-distance). What lies beyond the image is outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.evaluation.steps import Axes, areas, steps, within
from delineate.imaging import Grid

__all__ = ["Part", "SurfaceKind", "Surfaces", "added_path_length", "surfaces"]

SurfaceKind = Literal["voxels", "elements"]
# A distance that was summed up from steps may lie beside a tolerance by a rounding.
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One structure of a label map.

    Parameters
    ----------
    array
        Labels, or a mask, ``(slice, row, column)``.
    label
        Its label; 1 in a mask.
    box
        Lowest and highest (exclusive) slice, row, column.
    """

    array: NDArray[Any]
    label: int
    box: tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """Distances between the surfaces of a reference and a prediction, in the grid's unit.

    Parameters
    ----------
    to_prediction
        From every piece of the reference's surface to the nearest of the prediction's.
    to_reference
        The other way.
    weights
        Area of the pieces of the reference's surface and of the prediction's; ``None`` where each
        counts as one.
    """

    to_prediction: NDArray[np.float64]
    to_reference: NDArray[np.float64]
    weights: tuple[NDArray[np.float64], NDArray[np.float64]] | None

    def nsd(self, tolerance: float) -> float:
        """Share of both surfaces that lies within the tolerance of the other."""
        near, whole = 0.0, 0.0
        for distances, weight in self._both():
            close = distances <= tolerance * _ROUNDING
            near += float(close.sum() if weight is None else weight[close].sum())
            whole += float(len(distances) if weight is None else weight.sum())
        return near / whole

    def hausdorff(self, percent: float = 100.0) -> float:
        """The greater of both directions' percentiles.

        Those of samples are interpolated linearly; with areas it is the distance of the piece at
        which that part of the surface is reached.
        """
        return max(_percentile(*each, percent) for each in self._both())

    def assd(self) -> float:
        """Mean over both directions together."""
        total, whole = 0.0, 0.0
        for distances, weight in self._both():
            total += float(distances.sum() if weight is None else distances @ weight)
            whole += float(len(distances) if weight is None else weight.sum())
        return total / whole

    def masd(self) -> float:
        """Mean of both directions' means."""
        return float(
            np.mean([np.average(distances, weights=weight) for distances, weight in self._both()])
        )

    def _both(self) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64] | None], ...]:
        first, second = self.weights or (None, None)
        return (self.to_prediction, first), (self.to_reference, second)


def surfaces(
    reference: Part, prediction: Part, grid: Grid, kind: SurfaceKind = "voxels"
) -> Surfaces:
    """Measure two structures, neither of them empty, against each other.

    The nearest piece is looked for in steps from near to far; a k-d tree finds the far ones. Both
    are exact, on sheared grids as well. Beside the arrays it takes one byte for each sample of the
    box around both, three with elements.

    Parameters
    ----------
    reference, prediction
        On the same grid.
    grid
        Theirs. In a single slice outlines are measured, not surfaces.
    kind
        See this module.
    """
    from delineate.evaluation import surface_kernel

    flat = grid.shape[0] == 1
    start, shape = _around(reference, prediction)
    if kind == "elements":
        shape = tuple(n + (0 if flat and axis == 0 else 1) for axis, n in enumerate(shape))
    marks = np.zeros(shape, np.uint8)
    codes, numbers = [], []
    for bit, part in ((1, reference), (2, prediction)):
        if kind == "voxels":
            axis = 1 if flat else 0
            numbers.append(surface_kernel.borders(part.array, part.label, start, marks, bit, axis))
            continue
        code = np.zeros(shape, np.uint8)
        numbers.append(
            surface_kernel.corners(part.array, part.label, start, code, marks, bit, flat)
        )
        codes.append(code)
    axes = _axes(grid)
    offsets, lengths = steps(axes, flat)
    found = [
        surface_kernel.nearest(marks, own, 3 - own, offsets, lengths, number)
        for own, number in zip((1, 2), numbers, strict=True)
    ]
    matrix = grid.affine[:3, :3]
    for (places, distances, far), (others, _, _) in zip(found, reversed(found), strict=True):
        if far:
            _search(places, distances, others, matrix)
    weights = None
    if codes:
        measure = areas(axes, flat)
        first, second = (
            measure[code[tuple(places.T)]]
            for code, (places, _, _) in zip(codes, found, strict=True)
        )
        weights = first, second
    return Surfaces(found[0][1], found[1][1], weights)


def added_path_length(
    reference: Part, prediction: Part | None, grid: Grid, tolerance: float = 0.0
) -> float:
    """Length of the reference's outlines that are not in the prediction, slice by slice.

    Parameters
    ----------
    reference, prediction
        On the same grid; the prediction is ``None`` where it is empty.
    grid
        Theirs.
    tolerance
        Farthest that a pixel of the prediction's outline in the same slice may be.

    Returns
    -------
    float
        In the grid's unit: border pixels times the mean of the row's and the column's spacing.
    """
    from delineate.evaluation import surface_kernel

    start, shape = _around(reference, prediction or reference)
    marks = np.zeros(shape, np.uint8)
    number = surface_kernel.borders(reference.array, reference.label, start, marks, 1, 1)
    if prediction is not None:
        surface_kernel.borders(prediction.array, prediction.label, start, marks, 2, 1)
    offsets, lengths = within(_axes(grid), tolerance, flat=True)
    _, _, added = surface_kernel.nearest(marks, 1, 2, offsets, lengths, number)
    return added * (grid.spacing[1] + grid.spacing[2]) / 2


def _around(first: Part, second: Part) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Start and shape of the box around both."""
    one, two = np.array(first.box).reshape(3, 2), np.array(second.box).reshape(3, 2)
    start = np.minimum(one[:, 0], two[:, 0])
    return start, tuple((np.maximum(one[:, 1], two[:, 1]) - start).tolist())


def _axes(grid: Grid) -> Axes:
    return tuple(grid.affine[:3, :3].ravel().tolist())


def _search(
    places: NDArray[np.int32],
    distances: NDArray[np.float64],
    others: NDArray[np.int32],
    matrix: NDArray[np.float64],
) -> None:
    """Fill in the distances that are -1."""
    from scipy.spatial import KDTree

    far = distances < 0
    tree = KDTree(others @ matrix.T)
    distances[far] = tree.query(places[far] @ matrix.T)[0]


def _percentile(
    distances: NDArray[np.float64], weights: NDArray[np.float64] | None, percent: float
) -> float:
    if weights is None:
        return _interpolated(distances, percent)
    order = np.argsort(distances)
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, percent / 100 * reached[-1]))
    return float(distances[order[min(place, len(order) - 1)]])


def _interpolated(distances: NDArray[np.float64], percent: float) -> float:
    """As ``numpy.percentile`` to the last bit, without what that does for arrays of all kinds."""
    last = len(distances) - 1
    if percent == 100.0:
        return float(distances.max())
    place = last * (percent / 100)
    low = min(int(place), last - 1) if last else 0
    parts = np.partition(distances, (low, min(low + 1, last)))
    one, two = float(parts[low]), float(parts[min(low + 1, last)])
    along = place - low
    return one + (two - one) * along if along < 0.5 else two - (two - one) * (1 - along)
