"""Steps on a grid from near to far, and what a surface between samples measures."""

from __future__ import annotations

from functools import lru_cache
from math import pi

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axes", "areas", "steps", "within"]

# The columns of a grid's affine that step along (slice, row, column), as nine numbers: hashable.
Axes = tuple[float, ...]

_REACH = 1000


@lru_cache(maxsize=64)
def steps(axes: Axes, flat: bool) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """About a thousand shortest steps, the shortest first, no step of that length left out.

    Parameters
    ----------
    axes
        The linear part of an affine, row by row; it may shear.
    flat
        Steps within a slice alone.

    Returns
    -------
    offsets
        ``(n, 3)`` along slice, row, column; ``(0, 0, 0)`` is the first.
    lengths
        ``(n,)``, in the grid's unit.
    """
    matrix = np.asarray(axes).reshape(3, 3)
    if flat:
        area = float(np.linalg.norm(np.cross(matrix[:, 1], matrix[:, 2])))
        return within(axes, (_REACH * area / pi) ** 0.5, flat)
    volume = abs(float(np.linalg.det(matrix)))
    return within(axes, (_REACH * volume * 3 / (4 * pi)) ** (1 / 3), flat)


@lru_cache(maxsize=64)
def within(axes: Axes, reach: float, flat: bool) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Every step of at most ``reach``, as `steps` gives them."""
    matrix = np.asarray(axes).reshape(3, 3)
    if flat:
        square = matrix[:, 1:].T @ matrix[:, 1:]
        spans = (0.0, *(reach * np.sqrt(np.diag(np.linalg.inv(square)))))
    else:
        spans = tuple(reach * np.linalg.norm(np.linalg.inv(matrix), axis=1))
    ranges = [np.arange(-int(span + 1e-9), int(span + 1e-9) + 1) for span in spans]
    offsets = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(offsets @ matrix.T, axis=1)
    near = lengths <= reach * (1 + 1e-9)
    offsets, lengths = offsets[near], lengths[near]
    order = np.argsort(lengths, kind="stable")
    return offsets[order].astype(np.int32), lengths[order]


@lru_cache(maxsize=64)
def areas(axes: Axes, flat: bool) -> NDArray[np.float64]:
    """Area of the surface at a corner, by the code of the samples around it.

    That of marching cubes through the midpoints between inside and outside, in mm^2: Lorensen and
    Cline, "Marching cubes", SIGGRAPH 1987, doi:10.1145/37402.37422; the same for a code and its
    complement, as in the tables of Nikolov and others, doi:10.2196/26151. In a single slice the
    length of marching squares, in the grid's unit.

    Parameters
    ----------
    axes
        As for `steps`.
    flat
        A single slice.

    Returns
    -------
    ndarray of float64
        ``(256,)``, or ``(16,)``; codes as `surface_kernel.corners` makes them.
    """
    matrix = np.asarray(axes).reshape(3, 3)
    if flat:
        return np.array([_length(code, matrix) for code in range(16)])
    made = np.zeros(256)
    codes, first, second = _triangles()
    np.add.at(
        made, codes, np.linalg.norm(np.cross(first @ matrix.T, second @ matrix.T), axis=1) / 2
    )
    return made


def _length(code: int, matrix: NDArray[np.float64]) -> float:
    row, column = matrix[:, 1], matrix[:, 2]
    inside = [bool(code >> bit & 1) for bit in range(4)]  # (row, column): 00, 01, 10, 11
    number = sum(inside)
    if number in (0, 4):
        return 0.0
    if number == 2 and inside[0] != inside[3]:
        # Along the columns if a whole row is inside, along the rows if a whole column is.
        return float(np.linalg.norm(column if inside[0] == inside[1] else row))
    # A corner is cut off; two opposite ones both are.
    apart = number == 2
    if apart:
        sign = 1.0 if inside[1] else -1.0
    else:
        odd = inside.index(number == 1)
        sign = -1.0 if odd in (0, 3) else 1.0
    # From the middle of one side to the middle of the next.
    return (2.0 if apart else 1.0) * float(np.linalg.norm(row + sign * column)) / 2


@lru_cache(maxsize=1)
def _triangles() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of every code: the triangles' code and two sides, in steps along slice, row, column."""
    from skimage.measure import marching_cubes

    codes, first, second = [], [], []
    for code in range(1, 255):
        inside = code if code.bit_count() <= 4 else 255 - code
        cube = np.array([inside >> bit & 1 for bit in range(8)], np.float32).reshape(2, 2, 2)
        points, faces, _, _ = marching_cubes(cube, 0.5, method="lorensen")
        corner = points[faces].astype(np.float64)
        codes.append(np.full(len(faces), code))
        first.append(corner[:, 1] - corner[:, 0])
        second.append(corner[:, 2] - corner[:, 0])
    return np.concatenate(codes), np.concatenate(first), np.concatenate(second)
