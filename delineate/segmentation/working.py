"""The grid that a network works on, and where its samples lie in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, axis_order
from delineate.segmentation.model import Sampling

__all__ = ["Working", "working_grid"]

LONGEST_MM = 4000.0
"""An image that spans more has a wrong spacing."""

_STRAIGHT_DEGREES = 5.0
_WORLD = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}

Triple = tuple[int, int, int]
Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Working:
    """A working grid, and how it lies to the image's own.

    The axes of its arrays are those of the network, save that the one from feet to head comes
    first: work goes on slab by slab along it.

    Parameters
    ----------
    grid
        Padding included: along each axis at least a tile large.
    source
        The image's grid.
    order
        ``order[i]`` is the axis of ``grid`` that is the network's axis ``i``.
    tile
        Samples that the network sees at once, along the axes of ``grid``.
    valid
        First and one past the last sample along each axis that is not padding.
    turned
        Axes of the image's array in the order of ``grid``, and which of them run backwards.
    places
        Index in the turned image of each sample, along each axis; ``None`` where the axes of the
        image do not lie along those of the patient (an oblique or tilted scan).
    nearest
        Axis of ``grid`` along which samples are not interpolated; ``None`` if there is none.
    """

    grid: Grid
    source: Grid
    order: Triple
    tile: Triple
    valid: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    turned: tuple[Triple, tuple[bool, bool, bool]]
    places: tuple[Places, Places, Places] | None
    nearest: int | None = None

    @property
    def matrix(self) -> NDArray[np.float64]:
        """``(3, 4)``; maps indices of the image to indices of the working grid."""
        return np.ascontiguousarray((self.grid.inverse @ self.source.affine)[:3])

    @property
    def turned_shape(self) -> Triple:
        """Shape of the image with its axes in the order of ``grid``."""
        a, b, c = (self.source.shape[axis] for axis in self.turned[0])
        return a, b, c

    def turn(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of ``(slice, row, column, ...)`` with the axes in the order of ``grid``."""
        order, flips = self.turned
        view = array.transpose(*order, *range(3, array.ndim))
        return view[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    def covered(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Whether the image holds a sample, half a working step allowed.

        Parameters
        ----------
        first, stop
            Slices of the working grid.

        Returns
        -------
        ndarray of bool, ``(stop - first, row, column)``
        """
        shape = (stop - first, *self.grid.shape[1:])
        inside = np.ones(shape, bool)
        if self.places is not None:
            for axis, (low, high) in enumerate(self.valid):
                number = np.arange(shape[axis]) + (first if axis == 0 else 0)
                line = (number >= low) & (number < high)
                inside &= line.reshape([-1 if axis == each else 1 for each in range(3)])
            return inside
        back = np.linalg.inv(np.vstack([self.matrix, [0, 0, 0, 1]]))
        reach = 0.5 + np.asarray(self.grid.spacing) / np.asarray(self.source.spacing) / 2
        for axis, count in enumerate(self.source.shape):
            place = np.full(shape, back[axis, 3])
            for along in range(3):
                number = np.arange(shape[along]) + (first if along == 0 else 0)
                line = number * back[axis, along]
                place += line.reshape([-1 if along == each else 1 for each in range(3)])
            inside &= (place >= -reach[axis]) & (place <= count - 1 + reach[axis])
        return inside


def working_grid(source: Grid, sampling: Sampling, tile: Triple) -> Working:
    """Lay out the working grid of an image.

    It follows the image's axes where these lie within 5 degrees of the patient's; else it is
    aligned with the patient and surrounds the image.

    Parameters
    ----------
    source
        The image's grid.
    sampling
        What the network wants.
    tile
        Samples that it sees at once, in its own order of axes.

    Raises
    ------
    UnsuitableImageError
        If the image spans more than `LONGEST_MM`, or orientation and size in mm are asked for and
        it has none.
    """
    letters = sampling.orientation
    if letters and source.unit != "mm":
        raise UnsuitableImageError("expected an image whose size in mm is known, got one in pixels")
    first = next((i for i, letter in enumerate(letters) if letter in "SI"), 0)
    axes = [first, *(axis for axis in range(3) if axis != first)]
    order = (axes.index(0), axes.index(1), axes.index(2))
    tile = (tile[axes[0]], tile[axes[1]], tile[axes[2]])
    wanted = [sampling.spacing_mm[axis] for axis in axes]
    if not letters:
        same = (0, 1, 2), (False, False, False)
        return _along(source, source, same, wanted, sampling, tile, order)
    letters = "".join(letters[axis] for axis in axes)
    oriented, turned = source.oriented(letters), axis_order(source.orientation, letters)
    _demand_sane(oriented)
    if _straight(oriented):
        return _along(source, oriented, turned, wanted, sampling, tile, order)
    return _around(source, letters, turned, wanted, tile, order)


def _straight(oriented: Grid) -> bool:
    """Whether each axis lies along one of the patient's."""
    directions = oriented.affine[:3, :3] / np.asarray(oriented.spacing)
    return bool(np.abs(directions).max(axis=0).min() >= np.cos(np.deg2rad(_STRAIGHT_DEGREES)))


def _along(
    source: Grid,
    oriented: Grid,
    turned: tuple[Triple, tuple[bool, bool, bool]],
    wanted: list[float | None],
    sampling: Sampling,
    tile: Triple,
    order: Triple,
) -> Working:
    """A grid along the image's own axes."""
    steps = [old if new is None else new for new, old in zip(wanted, oriented.spacing, strict=True)]
    counts, scales, starts = [], [], []
    for size, old, new in zip(oriented.shape, oriented.spacing, steps, strict=True):
        count, scale, start = _line(size, old, new, sampling)
        counts.append(count)
        scales.append(scale)
        starts.append(start)
    shape, valid, places = [], [], []
    for count, scale, start, least in zip(counts, scales, starts, tile, strict=True):
        padding = max(0, least - count)
        before = padding // 2
        shape.append(count + padding)
        valid.append((before, before + count))
        number = np.clip(np.arange(count + padding) - before, 0, count - 1).astype(np.float64)
        places.append(number * scale + start)
    affine = oriented.affine.copy()
    affine[:3, :3] *= scales
    offset = [
        start - low * scale for start, (low, _), scale in zip(starts, valid, scales, strict=True)
    ]
    affine[:3, 3] = oriented.to_world(offset)
    return Working(
        Grid((shape[0], shape[1], shape[2]), affine, source.unit),
        source,
        order,
        tile,
        (valid[0], valid[1], valid[2]),
        turned,
        (places[0], places[1], places[2]),
        _thick_axis(oriented.spacing, steps, sampling.nearest_beyond),
    )


def _line(size: int, old: float, new: float, sampling: Sampling) -> tuple[int, float, float]:
    """Samples along one axis, their step in old samples, and the first one's place."""
    if sampling.fit == "faces":
        count = max(1, round(old / new * size))  # in this order, as nnU-Net rounds
        scale = size / count
        return count, scale, scale / 2 - 0.5
    scale = new / old
    if sampling.fit == "first":
        return max(1, int(np.round((size - 1) / scale + 1.0))), scale, 0.0
    count = max(1, int(np.ceil(size / scale - 1e-6)))
    return count, scale, (size - 1) / 2 - (count - 1) / 2 * scale


def _thick_axis(old: tuple[float, ...], new: list[float], beyond: float) -> int | None:
    """The axis that nnU-Net samples apart (`determine_do_sep_z_and_axis` of nnunetv2 2.8)."""
    for spacing in (np.asarray(old), np.asarray(new)):
        if spacing.max() / spacing.min() > beyond:
            longest = np.flatnonzero(spacing == spacing.max())
            return int(longest[0]) if len(longest) == 1 else None
    return None


def _around(
    source: Grid,
    letters: str,
    turned: tuple[Triple, tuple[bool, bool, bool]],
    wanted: list[float | None],
    tile: Triple,
    order: Triple,
) -> Working:
    """A grid along the patient's axes, around an image that is not."""
    native = source.oriented(letters).spacing
    steps = np.array([old if new is None else new for new, old in zip(wanted, native, strict=True)])
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(letters):
        world, sign = _WORLD[letter]
        directions[world, axis] = sign
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in source.shape), indexing="ij"))
    faces = source.to_world(ends.reshape(3, -1).T) @ directions
    low, high = faces.min(axis=0), faces.max(axis=0)
    counts = np.maximum(np.ceil((high - low) / steps - 1e-6).astype(int), tile)
    affine = np.eye(4)
    affine[:3, :3] = directions * steps
    affine[:3, 3] = directions @ ((low + high) / 2 - (counts - 1) / 2 * steps)
    shape = (int(counts[0]), int(counts[1]), int(counts[2]))
    valid = ((0, shape[0]), (0, shape[1]), (0, shape[2]))
    return Working(Grid(shape, affine), source, order, tile, valid, turned, None)


def _demand_sane(grid: Grid) -> None:
    spans = [count * step for count, step in zip(grid.shape, grid.spacing, strict=True)]
    if max(spans) > LONGEST_MM:
        size = " x ".join(f"{span:.0f}" for span in spans)
        raise UnsuitableImageError(
            f"the scan spans {size} mm; its spacing is probably wrong, state the right one"
        )
