"""Where samples lie in the world, apart from the samples themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delineate.errors import GeometryError

__all__ = ["Grid", "Unit", "axis_order"]

Unit = Literal["mm", "px"]
Triple = tuple[float, float, float]

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular grid of samples: shape, affine and unit.

    Parameters
    ----------
    shape
        Number of samples along ``(slice, row, column)``.
    affine
        ``(4, 4)``; maps the index ``(slice, row, column, 1)`` of a sample's *centre* to the world
        ``(x, y, z, 1)``. Right-handedness is not asked for: flips and shear (gantry tilt) live
        in the affine.
    unit
        ``"mm"``: the world is the patient's LPS frame (x to the left, y to the back, z to the
        head) in millimetres. ``"px"``: a picture of unknown scale, x to the right, y downwards,
        one unit a pixel.

    Raises
    ------
    GeometryError
        If a size is not positive, or the affine is not finite, not affine or singular.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    unit: Unit = "mm"

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1 or shape != tuple(self.shape):
            raise GeometryError(
                f"expected a shape of three positive sizes (slice, row, column), got {self.shape}"
            )
        affine = np.array(self.affine, dtype=np.float64, order="C")
        if affine.shape != (4, 4):
            raise GeometryError(f"expected an affine of shape (4, 4), got {affine.shape}")
        if not np.isfinite(affine).all():
            raise GeometryError("the affine holds NaN or infinity; the header's geometry is broken")
        if not np.array_equal(affine[3], (0.0, 0.0, 0.0, 1.0)):
            raise GeometryError(
                f"expected the affine's last row to be 0 0 0 1, got {affine[3].tolist()}"
            )
        steps = np.linalg.norm(affine[:3, :3], axis=0)
        if steps.min() <= 0 or abs(np.linalg.det(affine[:3, :3] / steps)) < 1e-6:
            raise GeometryError(
                f"the affine is singular (steps {steps.round(6).tolist()} along slice, row, "
                "column): two axes coincide or a spacing is zero; the header's geometry is broken, "
                "export the image again from its source"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def regular(
        cls,
        shape: tuple[int, int, int],
        spacing: Triple = (1.0, 1.0, 1.0),
        origin: Triple = (0.0, 0.0, 0.0),
        unit: Unit = "mm",
    ) -> Grid:
        """Axis-aligned grid: slices towards the head, rows to the back, columns to the left.

        ``spacing`` is ``(slice, row, column)``, ``origin`` the ``(x, y, z)`` of index 0.
        """
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2] = spacing
        affine[:3, 3] = origin
        affine[3, 3] = 1.0
        return cls(shape, affine, unit)

    def __reduce__(self) -> tuple[type[Grid], tuple[Any, ...]]:
        return Grid, (self.shape, self.affine, self.unit)  # read-only after a pickle as well

    @property
    def spacing(self) -> Triple:
        """Length of one step along ``(slice, row, column)``; on a tilted grid not the thickness."""
        a, b, c = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return a, b, c

    @property
    def slice_distance(self) -> float:
        """Distance between the planes of neighbouring slices, measured along their normal."""
        return self.voxel_size / self.pixel_area

    @property
    def pixel_area(self) -> float:
        """Area of one sample within its slice."""
        return float(np.linalg.norm(np.cross(self.affine[:3, 1], self.affine[:3, 2])))

    @property
    def voxel_size(self) -> float:
        """Volume of one sample."""
        slice_step, row_step, column_step = self.affine[:3, :3].T
        return abs(float(slice_step @ np.cross(row_step, column_step)))

    @property
    def inverse(self) -> NDArray[np.float64]:
        """``(4, 4)``; maps the world to indices."""
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    @property
    def orientation(self) -> str:
        """Letters of the ends that ``(slice, row, column)`` grow towards, such as ``"SPL"``.

        An oblique axis gets the letter of the direction nearest to it; each of the three world
        axes is named once. Empty for a grid in pixels.
        """
        if self.unit != "mm":
            return ""
        directions = self.affine[:3, :3] / np.asarray(self.spacing)
        rest, letters = np.abs(directions), ["", "", ""]
        for _ in range(3):
            world, axis = np.unravel_index(int(np.argmax(rest)), (3, 3))
            letters[int(axis)] = _LETTERS[int(world)][int(directions[world, axis] > 0)]
            rest[world, :] = rest[:, axis] = -1.0
        return "".join(letters)

    @property
    def corners(self) -> NDArray[np.float64]:
        """``(8, 3)``: world positions of the centres of the corner samples."""
        ends = np.array(np.meshgrid(*((0, n - 1) for n in self.shape), indexing="ij"))
        return self.to_world(ends.reshape(3, -1).T)

    def to_world(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Map array indices ``(..., 3)``, fractions allowed, to the world ``(..., 3)``."""
        points = np.asarray(indices, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map world positions ``(..., 3)`` to array indices ``(..., 3)``, with fractions."""
        inverse = self.inverse
        return np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def matches(self, other: Grid, tolerance: float | None = None) -> bool:
        """Whether both have the same shape and unit and no corner differs by more (mm or px).

        Corners are sample centres: along an axis of one sample the step does not count. By
        default 0.001, and at most 1 % of the smallest step: pixels of microscopes are as small.
        """
        if tolerance is None:
            tolerance = min(1e-3, 0.01 * min(self.spacing))
        return (
            self.shape == other.shape
            and self.unit == other.unit
            and bool(np.abs(self.corners - other.corners).max() <= tolerance)
        )

    def crop(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """Part of this grid from index ``start`` on; ``start`` may be negative (padding)."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(start)
        return Grid(shape, affine, self.unit)

    def with_spacing(self, spacing: Triple) -> Grid:
        """Same axes and extent sampled at another ``(slice, row, column)`` spacing.

        The outer *faces* coincide at index -0.5; the far face may lie beyond the old one, or
        short of it, by up to half a new step.
        """
        old, new = np.asarray(self.spacing), np.asarray(spacing, dtype=np.float64)
        if not (np.isfinite(new).all() and new.min() > 0):
            raise GeometryError(f"expected three positive spacings, got {spacing}")
        factor = new / old
        sizes = np.maximum(1, np.rint(np.asarray(self.shape) / factor)).astype(int)
        affine = self.affine.copy()
        affine[:3, :3] *= factor
        affine[:3, 3] = self.to_world((factor - 1) / 2)
        return Grid((int(sizes[0]), int(sizes[1]), int(sizes[2])), affine, self.unit)

    def oriented(self, orientation: str) -> Grid:
        """Same samples with axes permuted and flipped to the nearest ``orientation``.

        Parameters
        ----------
        orientation
            Letters as :attr:`orientation` gives them, such as ``"SPL"``. An oblique grid stays
            oblique; only the order and sense of its axes change.
        """
        order, flips = axis_order(self.orientation, orientation)
        affine = np.eye(4)
        affine[:3, 3] = self.affine[:3, 3]
        for new, old in enumerate(order):
            step = self.affine[:3, old]
            if flips[new]:
                affine[:3, 3] += step * (self.shape[old] - 1)
                step = -step
            affine[:3, new] = step
        shape = (self.shape[order[0]], self.shape[order[1]], self.shape[order[2]])
        return Grid(shape, affine, self.unit)


def axis_order(current: str, wanted: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Axis order and flips that bring orientation ``current`` to ``wanted``.

    ``array.transpose(order)`` and then a flip of each axis whose flag is true.
    """
    pairs = {letter: number for number, pair in enumerate(_LETTERS) for letter in pair}
    if len(wanted) != 3 or {pairs.get(letter) for letter in wanted} != {0, 1, 2}:
        raise GeometryError(
            f"expected an orientation such as 'SPL' (one each of R/L, A/P, I/S), got {wanted!r}"
        )
    if len(current) != 3:
        raise GeometryError("a picture in pixels has no patient orientation")
    axes = [next(i for i in range(3) if pairs[current[i]] == pairs[letter]) for letter in wanted]
    flips = [current[axis] != letter for axis, letter in zip(axes, wanted, strict=True)]
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])
