"""A tissue map being painted, with shapes in body millimetres.

A shape is a field that is below one inside. Fields are evaluated in a bent copy of the body
frame, so that nothing in a phantom is an exact ellipsoid, and only in the box the shape needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.interpolate as interpolate
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.phantom.tissue import Tissue

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Box = tuple[slice, slice, slice]
Point = tuple[float, float, float]

_MARGIN_MM = 24.0
_EXTENT_MM = ((-760.0, 620.0), (-330.0, 330.0), (-330.0, 330.0))
_KNOTS = (24, 11, 11)


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """A smooth displacement of space that is the same on every grid.

    Parameters
    ----------
    values
        Cubic B-spline coefficients in mm, shape (3, z, y, x); the first axis is the displaced
        coordinate, in the order x, y, z.
    """

    values: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, amplitude_mm: float) -> Bend:
        """Draw coefficients with this standard deviation."""
        return cls(rng.normal(0.0, amplitude_mm, (3, *_KNOTS)))

    def at(self, axes: Sequence[NDArray[np.float64]]) -> Floats:
        """Displacement on the grid spanned by the axes (z, y, x), shape (3, z, y, x), mm."""
        weights = [
            _spline_weights(axis, low, high, count)
            for axis, (low, high), count in zip(axes, _EXTENT_MM, _KNOTS, strict=True)
        ]
        partly = np.einsum("cijk,zi,yj->czyk", self.values, weights[0], weights[1], optimize=True)
        last = weights[2].astype(np.float32)
        return np.asarray(np.einsum("czyk,xk->czyx", partly.astype(np.float32), last))


def _spline_weights(
    axis: NDArray[np.float64], low: float, high: float, count: int
) -> NDArray[np.float64]:
    step = (high - low) / (count - 3)
    knots = low + step * np.arange(-3, count + 1)
    inside = np.clip(axis, low + 1e-6, high - 1e-6)
    return np.asarray(interpolate.BSpline.design_matrix(inside, knots, 3).toarray())


class Canvas:
    """The tissue map and the bent coordinates of its samples.

    Parameters
    ----------
    axes
        Body coordinates of the samples along z, y and x, mm, each rising.
    bend
        How the body is bent.

    Attributes
    ----------
    tissue
        uint8, shape (z, y, x), `Tissue` values.
    x, y, z
        Bent body coordinates in mm, float32, shape (z, y, x).
    """

    def __init__(self, axes: Sequence[NDArray[np.float64]], bend: Bend) -> None:
        self.axes = tuple(np.asarray(axis, np.float64) for axis in axes)
        shape = tuple(len(axis) for axis in self.axes)
        shift = bend.at(self.axes)
        self.x: Floats = shift[0] + self.axes[2].astype(np.float32)
        self.y: Floats = shift[1] + self.axes[1].astype(np.float32)[:, None]
        self.z: Floats = shift[2] + self.axes[0].astype(np.float32)[:, None, None]
        self.tissue: NDArray[np.uint8] = np.zeros(shape, np.uint8)

    @property
    def frame(self) -> tuple[Floats, Floats, Floats]:
        """Bent body coordinates x, y and z."""
        return self.x, self.y, self.z

    def box(self, low: Point, high: Point) -> Box:
        """Samples that may lie between two corners (x, y, z), bending allowed for."""
        bounds = zip(self.axes, low[::-1], high[::-1], strict=True)
        return tuple(  # type: ignore[return-value]
            slice(
                int(np.searchsorted(axis, start - _MARGIN_MM)),
                int(np.searchsorted(axis, stop + _MARGIN_MM)),
            )
            for axis, start, stop in bounds
        )

    def ellipsoid(self, centre: Point, radii: Point, reach: float = 1.0) -> tuple[Box, Floats]:
        """Squared distance in radii from a centre, in the box that holds it up to `reach`."""
        grown = [radius * reach for radius in radii]
        box = self.box(
            (centre[0] - grown[0], centre[1] - grown[1], centre[2] - grown[2]),
            (centre[0] + grown[0], centre[1] + grown[1], centre[2] + grown[2]),
        )
        x, y, z = self.x[box], self.y[box], self.z[box]
        field = np.square((x - centre[0]) / radii[0])
        field += np.square((y - centre[1]) / radii[1])
        field += np.square((z - centre[2]) / radii[2])
        return box, field

    def capsule(self, start: Point, stop: Point, radius: float) -> tuple[Box, Floats]:
        """Squared distance in radii from a straight segment."""
        low = tuple(min(a, b) - radius for a, b in zip(start, stop, strict=True))
        high = tuple(max(a, b) + radius for a, b in zip(start, stop, strict=True))
        box = self.box(low, high)  # type: ignore[arg-type]
        along = np.subtract(stop, start).astype(np.float32)
        x, y, z = self.x[box] - start[0], self.y[box] - start[1], self.z[box] - start[2]
        place = x * along[0] + y * along[1] + z * along[2]
        place = np.clip(place / max(float(along @ along), 1e-6), 0.0, 1.0)
        field = np.square(x - place * along[0])
        field += np.square(y - place * along[1])
        field += np.square(z - place * along[2])
        return box, field / np.float32(radius * radius)

    def tube(self, points: Sequence[Point], radii: Sequence[float]) -> Floats:
        """Least squared distance in radii from a chain of segments, on the whole grid.

        Samples far from the chain hold a large number.
        """
        whole = np.full(self.tissue.shape, 1e6, np.float32)
        for start, stop, radius in zip(points[:-1], points[1:], radii, strict=False):
            box, field = self.capsule(start, stop, radius)
            np.minimum(whole[box], field, out=whole[box])
        return whole

    def waves(self, rng: np.random.Generator, shortest_mm: float, longest_mm: float) -> Floats:
        """Noise of about unit variance, made of seven waves, that is the same on every grid."""
        total = np.zeros(self.tissue.shape, np.float32)
        for _ in range(7):
            wave = rng.normal(0, 1, 3)
            wave *= 2 * np.pi / (float(rng.uniform(shortest_mm, longest_mm)) * np.linalg.norm(wave))
            a, b, c = wave.astype(np.float32)
            shift = np.float32(rng.uniform(0, 2 * np.pi))
            total += np.sin(a * self.x + b * self.y + c * self.z + shift)
        return total / np.float32(np.sqrt(3.5))

    @staticmethod
    def rounded(mask: Bools, axes: Sequence[NDArray[np.float64]], sigma_mm: float) -> Bools:
        """A mask with rounded edges and corners, on these axes z, y and x."""
        if not mask.size:
            return mask
        sigma = [sigma_mm / float(axis[1] - axis[0]) if len(axis) > 1 else 0.0 for axis in axes]
        soft = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2.5)
        return np.asarray(soft > 0.5)

    def paint(self, where: Bools, tissue: Tissue, box: Box | None = None) -> None:
        """Give a tissue to the samples of a mask, over the whole grid or over a box."""
        target = self.tissue if box is None else self.tissue[box]
        target[where] = tissue
