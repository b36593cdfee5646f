"""Build and smooth surface nets; see :mod:`delineate.contour.surface`.

Cell ``(k, r, c)`` lies between samples ``(k, r, c)`` and ``(k + 1, r + 1, c + 1)``; the first is at
-1, so that labels at the border are closed. For the eight corners of a cell, its *pattern* and its
loops see :mod:`delineate.contour.surface_cell`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import surface_cell
from delineate.contour.compiled import kernel

__all__ = ["FIXED", "neighbours", "net", "relax", "triangles"]

Labels = NDArray[np.uint8] | NDArray[np.uint16]
Integers = NDArray[np.int32]

_LOOP = surface_cell.loop_table()
_AMBIGUOUS = surface_cell.ambiguous_sides()
_LOOPS = (_LOOP.max(axis=1) + 1).astype(np.int64)
FIXED = (_LOOPS > 1) | (_AMBIGUOUS > 0)
"""Patterns whose vertices stay where they are: those of two loops must not meet."""

# The four cells round an edge along each axis, counter-clockwise seen from its end: their steps
# from the first sample's own cell, and which of a cell's edges it is for each.
_OTHERS = np.array([(1, 2), (2, 0), (0, 1)])
_ROUND = np.array([(-1, -1), (0, -1), (0, 0), (-1, 0)])
_STEP = np.zeros((3, 4, 3), np.int64)
_EDGE = np.zeros((3, 4), np.int64)
for _axis in range(3):
    for _corner in range(4):
        _STEP[_axis, _corner, _OTHERS[_axis]] = _ROUND[_corner]
        _first, _second = sorted(_OTHERS[_axis])
        _away = -_STEP[_axis, _corner]
        _EDGE[_axis, _corner] = 4 * _axis + 2 * _away[_first] + _away[_second]


@kernel
def net(labels: Labels, label: int) -> tuple[Integers, NDArray[np.uint8], Integers, Integers]:
    """The vertices and quadrilaterals of one label.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    label
        The label.

    Returns
    -------
    cells
        ``(n, 3)``: the cell of each vertex.
    kinds
        ``(n, 2)``: the pattern of that cell, and the number of the loop.
    quads
        ``(m, 4)``: numbers of vertices; the normal points outwards where slice, row and column
        are right-handed.
    faces
        ``(m, 5)``: the voxel face of each: slice, row and column of the sample before it, its
        axis, and whether that sample is the one inside.
    """
    slices, rows, columns = labels.shape
    width = (columns + 9) // 8 * 8
    below = np.zeros((rows + 2, width), np.uint8)  # 1 where inside; sample (r, c) at (r + 1, c + 1)
    above = np.zeros((rows + 2, width), np.uint8)
    row = np.zeros(width, np.uint8)
    words = row.view(np.uint64)
    full = np.uint64(0x5555555555555555)
    # Of this slice of cells and the one before: number of the first vertex, and pattern.
    first = np.zeros((2, rows + 1, columns + 1), np.int32)
    pattern = np.zeros((2, rows + 1, columns + 1), np.uint8)
    cells = np.empty((4096, 3), np.int32)
    kinds = np.empty((4096, 2), np.uint8)
    quads = np.empty((4096, 4), np.int32)
    faces = np.empty((4096, 5), np.int32)
    vertices = count = 0
    for k in range(slices + 1):
        below, above = above, below
        for r in range(rows):
            inner = above[r + 1, 1 : columns + 1]
            if k < slices:
                source = labels[k, r]
                for c in range(columns):
                    inner[c] = source[c] == label
            else:
                inner[:] = 0
        for r in range(rows + 1):
            a, b, d, e = below[r], below[r + 1], above[r], above[r + 1]
            for c in range(width):
                row[c] = a[c] | b[c] << 2 | d[c] << 4 | e[c] << 6
            for w in range(width // 8):
                begin = max(8 * w - 1, 0)
                word = words[w]
                if (word == 0 or word == full) and row[begin] == row[8 * w]:
                    continue
                for c in range(begin, min(8 * w + 7, columns + 1)):
                    p = row[c] | row[c + 1] << 1
                    if p == 0 or p == 255:
                        continue
                    first[k & 1, r, c] = vertices
                    pattern[k & 1, r, c] = p
                    if vertices + 4 > len(cells):
                        cells, kinds = _longer(cells), _longer(kinds)
                    for n in range(_LOOPS[p]):
                        cells[vertices, 0], cells[vertices, 1] = k - 1, r - 1
                        cells[vertices, 2] = c - 1
                        kinds[vertices, 0], kinds[vertices, 1] = p, n
                        vertices += 1
                    if count + 3 > len(quads):
                        quads, faces = _longer(quads), _longer(faces)
                    inside = p & 1
                    for axis in range(3):
                        if (p >> (4 >> axis)) & 1 == inside:
                            continue
                        for i in range(4):
                            kk = (k + _STEP[axis, i, 0]) & 1
                            rr, cc = r + _STEP[axis, i, 1], c + _STEP[axis, i, 2]
                            loop = _LOOP[pattern[kk, rr, cc], _EDGE[axis, i]]
                            quads[count, i if inside else 3 - i] = first[kk, rr, cc] + loop
                        faces[count, 0], faces[count, 1], faces[count, 2] = k - 1, r - 1, c - 1
                        faces[count, 3], faces[count, 4] = axis, inside
                        count += 1
    return cells[:vertices].copy(), kinds[:vertices].copy(), quads[:count].copy(), faces[:count]


@kernel
def _longer(table: NDArray[Any]) -> NDArray[Any]:
    longer = np.empty((2 * len(table), table.shape[1]), table.dtype)
    longer[: len(table)] = table
    return longer


@kernel
def neighbours(
    quads: Integers, faces: Integers, kinds: NDArray[np.uint8]
) -> tuple[Integers, NDArray[np.uint8]]:
    """Who is beside whom.

    Returns
    -------
    beside
        ``(n, 6)``: the vertex on each side ``2 axis + high`` of each vertex's cell, -1 for none.
    odd
        ``(m,)``: bit i is set where side i of a quadrilateral, from its corner i of the order in
        which the cells lie round the face to the next, is shared by four.
    """
    beside = np.full((len(kinds), 6), -1, np.int32)
    odd = np.zeros(len(quads), np.uint8)
    for m in range(len(quads)):
        axis, inside = faces[m, 3], faces[m, 4]
        for i in range(4):
            here = quads[m, i if inside else 3 - i]
            there = quads[m, (i + 1) & 3 if inside else 3 - ((i + 1) & 3)]
            side = 2 * _OTHERS[axis, i & 1] + (i < 2)
            if _AMBIGUOUS[kinds[here, 0]] >> side & 1:
                odd[m] |= 1 << i
            else:
                beside[here, side] = there
                beside[there, side ^ 1] = here
    return beside, odd


@kernel
def relax(
    offsets: NDArray[np.float32],
    beside: Integers,
    kinds: NDArray[np.uint8],
    weights: NDArray[np.float32],
    reach: float,
) -> NDArray[np.float32]:
    """Move every vertex towards the mean of those beside it, and back, again and again.

    Parameters
    ----------
    offsets
        ``(n, 3)``: from the middle of each vertex's cell, in steps; overwritten.
    beside, kinds
        From :func:`neighbours` and :func:`net`. Vertices of ``FIXED`` patterns are not moved.
    weights
        Of each round: the part of the way to the mean that a vertex goes; away from it if negative.
    reach
        How far from the middle of its cell a vertex may go along each axis.
    """
    count = len(offsets)
    moved = offsets.copy()
    limit = np.float32(reach)
    for weight in weights:
        stay = np.float32(1.0) - weight
        for v in range(count):
            if FIXED[kinds[v, 0]]:
                continue
            x = y = z = np.float32(0.0)
            n = 0
            for side in range(6):
                other = beside[v, side]
                if other >= 0:
                    n += 1
                    x += offsets[other, 0]
                    y += offsets[other, 1]
                    z += offsets[other, 2]
            share = weight / np.float32(n)
            x += np.float32((beside[v, 1] >= 0) - (beside[v, 0] >= 0))
            y += np.float32((beside[v, 3] >= 0) - (beside[v, 2] >= 0))
            z += np.float32((beside[v, 5] >= 0) - (beside[v, 4] >= 0))
            x = offsets[v, 0] * stay + x * share
            moved[v, 0] = min(max(x, -limit), limit)
            y = offsets[v, 1] * stay + y * share
            moved[v, 1] = min(max(y, -limit), limit)
            z = offsets[v, 2] * stay + z * share
            moved[v, 2] = min(max(z, -limit), limit)
        offsets, moved = moved, offsets
    return offsets


@kernel
def triangles(quads: Integers, points: NDArray[np.float64], mirrored: bool) -> Integers:
    """Cut each quadrilateral along its shorter diagonal: ``(2 m, 3)``.

    ``points`` are in the world. Where ``mirrored`` is set, triangles run the other way.
    """
    out = np.empty((2 * len(quads), 3), np.int32)
    for m in range(len(quads)):
        one = other = 0.0
        for x in range(3):
            one += (points[quads[m, 2], x] - points[quads[m, 0], x]) ** 2
            other += (points[quads[m, 3], x] - points[quads[m, 1], x]) ** 2
        shift = int(other < one * (1 - 1e-9))
        for i in range(2):
            out[2 * m + i, 0] = quads[m, shift]
            second, third = quads[m, (shift + 1 + i) & 3], quads[m, (shift + 2 + i) & 3]
            out[2 * m + i, 1] = third if mirrored else second
            out[2 * m + i, 2] = second if mirrored else third
    return out
