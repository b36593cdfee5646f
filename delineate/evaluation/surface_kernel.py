"""Surfaces of two structures and how far they lie apart; see `evaluation.surface`.

A *mark* array holds a byte for each place of the box around both structures: bit 0 where the
reference has a piece of surface, bit 1 where the prediction has one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["borders", "corners", "nearest"]

Marks = NDArray[np.uint8]


@kernel
def borders(
    labels: NDArray[Any],
    label: int,
    start: NDArray[np.int64],
    marks: Marks,
    bit: int,
    axis: int,
) -> int:
    """Mark samples of a label with a neighbour outside it, across faces; their number.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order; what lies beyond is outside.
    label
        The structure's.
    start
        First slice, row, column of the box.
    marks
        Of the box; ``bit`` is set.
    axis
        First axis whose neighbours count: 0, or 1 within slices alone.
    """
    slices, rows, columns = labels.shape
    depth, height, width = marks.shape
    found = 0
    for i in range(depth):
        k = start[0] + i
        for j in range(height):
            r = start[1] + j
            for l in range(width):  # noqa: E741
                c = start[2] + l
                if labels[k, r, c] != label:
                    continue
                if (
                    c == 0
                    or c == columns - 1
                    or r == 0
                    or r == rows - 1
                    or labels[k, r, c - 1] != label
                    or labels[k, r, c + 1] != label
                    or labels[k, r - 1, c] != label
                    or labels[k, r + 1, c] != label
                    or (
                        axis == 0
                        and (
                            k == 0
                            or k == slices - 1
                            or labels[k - 1, r, c] != label
                            or labels[k + 1, r, c] != label
                        )
                    )
                ):
                    marks[i, j, l] |= bit
                    found += 1
    return found


@kernel
def corners(
    labels: NDArray[Any],
    label: int,
    start: NDArray[np.int64],
    codes: NDArray[np.uint8],
    marks: Marks,
    bit: int,
    flat: bool,
) -> int:
    """Mark the corners between samples that the surface passes by; their number.

    Corner ``(i, j, l)`` of the box lies between the samples ``start + (i, j, l) - 1`` and
    ``start + (i, j, l)``; of the eight (four, in a single slice) around it, bit ``4a + 2b + c`` of
    its code is the one at offset ``(a, b, c)``.

    Parameters
    ----------
    labels, label, start
        As for `borders`.
    codes, marks
        One longer than the box along each axis, except the first where ``flat``. All of ``codes``
        is written; ``bit`` is set where neither all are inside nor all outside.
    flat
        A single slice: corners within it alone.
    """
    slices, rows, columns = labels.shape
    depth, height, width = codes.shape
    full = 15 if flat else 255
    found = 0
    for i in range(depth):
        for j in range(height):
            for l in range(width):  # noqa: E741
                code = 0
                for a in range(1 if flat else 2):
                    k = start[0] + i if flat else start[0] + i + a - 1
                    if k < 0 or k >= slices:
                        continue
                    for b in range(2):
                        r = start[1] + j + b - 1
                        if r < 0 or r >= rows:
                            continue
                        for d in range(2):
                            c = start[2] + l + d - 1
                            if 0 <= c < columns and labels[k, r, c] == label:
                                code |= 1 << (4 * a + 2 * b + d)
                codes[i, j, l] = code
                if code != 0 and code != full:
                    marks[i, j, l] |= bit
                    found += 1
    return found


@kernel
def nearest(
    marks: Marks,
    own: int,
    other: int,
    offsets: NDArray[np.int32],
    lengths: NDArray[np.float64],
    number: int,
) -> tuple[NDArray[np.int32], NDArray[np.float64], int]:
    """Distance from every piece of one surface to the nearest of the other, as far as it is near.

    Parameters
    ----------
    marks
        Of both.
    own, other
        Their bits.
    offsets
        ``(n, 3)`` steps from near to far; every step as short as the last is among them.
    lengths
        ``(n,)``: theirs, in mm.
    number
        Pieces of the own surface.

    Returns
    -------
    places
        ``(number, 3)``: indices in the box, in C order.
    distances
        ``(number,)`` in mm; -1 for those that are farther than the last step.
    far
        How many those are.
    """
    depth, height, width = marks.shape
    places = np.empty((number, 3), np.int32)
    distances = np.full(number, -1.0)
    place, far = 0, 0
    for i in range(depth):
        for j in range(height):
            for l in range(width):  # noqa: E741
                if not marks[i, j, l] & own:
                    continue
                places[place, 0], places[place, 1], places[place, 2] = i, j, l
                found = False
                for step in range(len(lengths)):
                    k, r, c = i + offsets[step, 0], j + offsets[step, 1], l + offsets[step, 2]
                    if (
                        0 <= k < depth
                        and 0 <= r < height
                        and 0 <= c < width
                        and marks[k, r, c] & other
                    ):
                        distances[place] = lengths[step]
                        found = True
                        break
                if not found:
                    far += 1
                place += 1
    return places, distances, far
