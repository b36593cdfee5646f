"""How long a label is: in a slice, across that, and in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Grid

__all__ = ["Diameter", "in_slice", "in_space"]


@dataclass(frozen=True, slots=True, eq=False)
class Diameter:
    """A straight line from edge to edge.

    Parameters
    ----------
    ends
        ``(2, 3)``: world positions.
    slice_number
        The slice that it lies in; -1 if in none.
    """

    ends: NDArray[np.float64]
    slice_number: int = -1

    @property
    def length(self) -> float:
        """In the unit of the grid."""
        return float(np.linalg.norm(self.ends[1] - self.ends[0]))


def in_slice(spans: NDArray[np.int32], grid: Grid) -> tuple[Diameter, Diameter]:
    """The longest line in any slice, and the longest at right angles to it in the same slice.

    Parameters
    ----------
    spans
        ``(n, 5)``: of one label, from :func:`~delineate.contour.measure_kernel.tally`; not empty.
    grid
        Of the labels.

    Returns
    -------
    long, across
        The ends of the first are middles between a sample inside and its neighbour outside; of
        several of one length it is that in the first slice. The second runs between sides of the
        convex hull of those middles. Both may leave a bent shape on the way.
    """
    from delineate.contour.diameter_kernel import hulls, longest  # numba is slow to import

    points, starts = hulls(spans, False)
    down, right = grid.affine[:3, 1], grid.affine[:3, 2]
    metric = np.array([down @ down, 2 * (down @ right), right @ right])
    _, (place, one, other) = longest(points, starts, metric)
    number = int(starts[place, 0])
    ring = points[starts[place, 1] : starts[place + 1, 1]] / 2
    ends = _placed(np.stack((points[one], points[other])) / 2, number, grid)
    across = _chord(_placed(ring, number, grid), ends[1] - ends[0])
    return Diameter(ends, number), Diameter(across, number)


def in_space(spans: NDArray[np.int32], grid: Grid) -> Diameter:
    """The longest line between any two middles of a sample inside and a neighbour outside.

    Parameters
    ----------
    spans
        As for :func:`in_slice`.
    grid
        Of the labels.
    """
    from delineate.contour.diameter_kernel import furthest, hulls

    edges, edge_starts = hulls(spans, False)
    centres, centre_starts = hulls(spans, True)
    groups = []
    for i, number in enumerate(edge_starts[:-1, 0].tolist()):
        ring = edges[edge_starts[i, 1] : edge_starts[i + 1, 1]] / 2
        inner = centres[centre_starts[i, 1] : centre_starts[i + 1, 1]] / 2
        groups.append(
            np.concatenate(
                [_placed(ring, number, grid)]
                + [_placed(inner, number + half, grid) for half in (-0.5, 0.5)]
            )
        )
    starts = np.cumsum([0, *(len(group) for group in groups)])
    points = np.concatenate(groups)
    _, first, second = furthest(points, starts)
    return Diameter(points[[first, second]])


def _placed(points: NDArray[np.float64], number: float, grid: Grid) -> NDArray[np.float64]:
    """Rows and columns of a slice in the world."""
    return grid.to_world(np.column_stack((np.full(len(points), number), points)))


def _chord(ring: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest chord of a convex ring at right angles to a direction.

    How long a chord is changes evenly between two corners: the longest passes through one.
    """
    unit = along / np.linalg.norm(along)
    corners = ring - ring[0]
    heights = corners @ unit
    ahead, following = np.roll(heights, -1), np.roll(corners, -1, axis=0)
    best = np.stack((ring[0], ring[0]))
    length = 0.0
    for height in heights:
        low, high = np.minimum(heights, ahead), np.maximum(heights, ahead)
        cut = np.flatnonzero((low <= height) & (height <= high) & (high > low))
        part = ((height - heights[cut]) / (ahead[cut] - heights[cut]))[:, None]
        met = corners[cut] + part * (following[cut] - corners[cut])
        # Sides at right angles to the direction are met at their ends, by the sides beside them.
        spread = np.linalg.norm(met[:, None] - met[None], axis=2)
        i, j = np.unravel_index(int(spread.argmax()), spread.shape)
        if spread[i, j] > length * (1 + 1e-9):
            length = float(spread[i, j])
            best = ring[0] + met[[min(i, j), max(i, j)]]
    return best
