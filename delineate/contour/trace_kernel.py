"""Walk along the cracks of a label volume; see :mod:`delineate.contour.trace`.

Corners are points ``(row, column)`` of the lattice between samples: corner ``(r, c)`` is the one
that samples ``(r - 1, c - 1)`` and ``(r, c)`` share, at index ``(r - 0.5, c - 0.5)``.

Every ring is walked with its own samples on the right hand, so it climbs along the left side
("west edge") of a sample at least once. Scanning row by row, a west edge that no walk has passed
starts the next ring, and the sample above it tells which kind: if that one carries the same label
the ring bounds a hole, else it is the outer ring of a new 4-connected component.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["crack_rings", "to_world"]

Integers = NDArray[np.int32]
Table = NDArray[np.int64]
Labels = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def crack_rings(labels: Labels, words: NDArray[np.uint64], only: int) -> tuple[Integers, Table]:
    """All rings of all labels, or of ``only`` one if it is not 0.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    words
        The same memory, eight bytes at a time: where a word equals itself moved on by one sample,
        no sample in it differs from the one before, and all are passed over at once. What is left
        over at the end of ``labels`` is no word.
    only
        Label to trace; 0 for every label but background.

    Returns
    -------
    corners
        ``(n, 2)``: row and column on the lattice, ring after ring.
    rings
        ``(m, 6)``: label, component, whether a hole, slice, first corner, corner after the last.
        Components are numbered through the volume, in the order of their first sample.
    """
    slices, rows, columns = labels.shape
    flat = labels.reshape(slices * rows * columns)
    each = 8 // labels.itemsize
    one, rest = np.uint64(64 // each), np.uint64(64 - 64 // each)
    # A west edge was passed in the present slice if its owner is greater than the number of
    # components in the slices before: nothing has to be cleared between slices.
    owner = np.zeros(rows * columns, np.int32)
    place = np.zeros((rows + 1) * (columns + 1), np.int32)
    walk = np.empty((2 * (rows + 1) * (columns + 1), 3), np.int32)
    corners = np.empty((4096, 2), np.int32)
    rings = np.empty((256, 6), np.int64)
    used = np.zeros(2, np.int64)  # corners and rings so far
    head = np.zeros(4, np.int64)  # the first columns of a row of rings
    components = before = 0
    for row in range(slices * rows):
        k, r = row // rows, row % rows
        if r == 0:
            before = components
        first = row * columns
        plane = flat[k * rows * columns : (k + 1) * rows * columns]
        low, end = first, first + columns
        while low < end:
            high = min((low // each + 1) * each, end)
            if low > first:
                w = low // each
                while high - low == each and words[w] == (
                    (words[w] << one) | (words[w - 1] >> rest)
                ):
                    low = high
                    high = min(high + each, end)
                    w += 1
            for i in range(low, high):
                label, c = int(flat[i]), i - first
                if label == 0 or (c > 0 and flat[i - 1] == label):
                    continue
                at = r * columns + c
                if owner[at] > before or (only != 0 and only != label):
                    continue
                if r > 0 and plane[at - columns] == label:  # a hole: whose?
                    west = at - columns
                    while west > (r - 1) * columns and plane[west - 1] == label:
                        west -= 1
                    component = int(owner[west])
                else:
                    components += 1
                    component = components
                count = _follow(plane, rows, columns, r, c, owner, component, walk)
                head[0], head[1], head[3] = label, component, k
                corners, rings = _keep(walk, count, place, columns + 1, head, corners, rings, used)
            low = high
    return corners[: used[0]].copy(), rings[: used[1]].copy()


@kernel
def _follow(
    plane: Labels,
    rows: int,
    columns: int,
    first_row: int,
    first_column: int,
    owner: Integers,
    component: int,
    walk: Integers,
) -> int:
    """Walk round one ring; gives the number of corners where it turns.

    ``walk`` receives row, column and whether ambiguous of each.
    """
    label = plane[first_row * columns + first_column]
    owner[first_row * columns + first_column] = component
    r, c, heading = first_row, first_column, 0  # 0 up, 1 right, 2 down, 3 left
    count = 0
    while True:
        if heading == 0:
            right_row, right_column, left_row, left_column = r - 1, c, r - 1, c - 1
        elif heading == 1:
            right_row, right_column, left_row, left_column = r, c, r - 1, c
        elif heading == 2:
            right_row, right_column, left_row, left_column = r, c - 1, r, c
        else:
            right_row, right_column, left_row, left_column = r - 1, c - 1, r, c - 1
        right = (
            0 <= right_row < rows
            and 0 <= right_column < columns
            and plane[right_row * columns + right_column] == label
        )
        left = (
            0 <= left_row < rows
            and 0 <= left_column < columns
            and plane[left_row * columns + left_column] == label
        )
        if left or not right:
            walk[count, 0] = r
            walk[count, 1] = c
            walk[count, 2] = left and not right  # two samples meet at this corner: stay with one
            count += 1
            heading = (heading + (3 if right else 1)) & 3
        if heading == 0:
            r -= 1
            owner[r * columns + c] = component
            if r == first_row and c == first_column:
                return count
        elif heading == 1:
            c += 1
        elif heading == 2:
            r += 1
        else:
            c -= 1


@kernel
def _keep(
    walk: Integers,
    count: int,
    place: Integers,
    width: int,
    head: Table,
    corners: Integers,
    rings: Table,
    used: Table,
) -> tuple[Integers, Table]:
    """Append a ring, cut into several where it passes a corner twice.

    The corners go onto a stack (the beginning of ``walk``, which is overwritten). When one comes
    that is on it already, all since then are a ring. ``place`` holds, for each ambiguous corner of
    the lattice, one more than its place on the stack; all 0 before and after. Gives the tables,
    which are new ones when they had to grow.
    """
    top = 0
    for i in range(count + 1):
        at, start = 0, -1
        if i == count:
            start = 0
        elif walk[i, 2]:
            at = walk[i, 0] * width + walk[i, 1]
            start = place[at] - 1
        if start < 0:
            walk[top, 0], walk[top, 1], walk[top, 2] = walk[i, 0], walk[i, 1], walk[i, 2]
            top += 1
            if walk[i, 2]:
                place[at] = top
            continue
        n, m = used[0], used[1]
        end = n + top - start
        if end > len(corners):
            larger = np.empty((2 * end, 2), np.int32)
            larger[:n] = corners[:n]
            corners = larger
        if m == len(rings):
            longer = np.empty((2 * m, 6), np.int64)
            longer[:m] = rings
            rings = longer
        area = 0  # twice the signed one in the (column, row) plane; that of a hole is negative
        before = top - 1
        for j in range(start, top):
            r, c = walk[j, 0], walk[j, 1]
            area += np.int64(walk[before, 1]) * r - np.int64(c) * walk[before, 0]
            before = j
            corners[n + j - start, 0] = r
            corners[n + j - start, 1] = c
            if walk[j, 2] and (j > start or i == count):
                place[r * width + c] = 0
        head[2] = area < 0
        rings[m, :4] = head
        rings[m, 4], rings[m, 5] = n, end
        used[0], used[1] = end, m + 1
        top = start + 1
    return corners, rings


@kernel
def to_world(corners: Integers, rings: Table, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """World positions ``(n, 3)`` of the corners of rings, by a grid's ``(4, 4)`` affine."""
    points = np.empty((len(corners), 3))
    for m in range(len(rings)):
        k = float(rings[m, 3])
        for n in range(rings[m, 4], rings[m, 5]):
            r, c = corners[n, 0] - 0.5, corners[n, 1] - 0.5
            for axis in range(3):
                points[n, axis] = (
                    affine[axis, 0] * k
                    + affine[axis, 1] * r
                    + affine[axis, 2] * c
                    + affine[axis, 3]
                )
    return points
