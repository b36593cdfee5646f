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

__all__ = ["crack_rings"]

Integers = NDArray[np.int32]
Table = NDArray[np.int64]
Labels = NDArray[np.uint8] | NDArray[np.uint16]

_BLOCK = 64  # samples that are compared at once; a constant, so that the loop becomes SIMD


@kernel
def crack_rings(labels: Labels, only: int) -> tuple[Integers, Table]:
    """All rings of all labels, or of ``only`` one if it is not 0.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
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
    # A west edge was passed in the present slice if its owner is greater than the number of
    # components in the slices before: nothing has to be cleared between slices.
    owner = np.zeros(rows * columns, np.int32)
    place = np.zeros((rows + 1) * (columns + 1), np.int32)
    walk = np.empty((2 * (rows + 1) * (columns + 1), 3), np.int32)
    corners = np.empty((4096, 2), np.int32)
    rings = np.empty((256, 6), np.int64)
    used = np.zeros(2, np.int64)  # corners and rings so far
    components = 0
    for k in range(slices):
        plane = labels[k].reshape(rows * columns)
        before = components
        for r in range(rows):
            first = r * columns
            low = 0
            while low < columns:
                high = min(low + _BLOCK, columns)
                if low == 0:
                    high = 1
                elif high - low == _BLOCK:
                    changed = plane[first + low] ^ plane[first + low - 1]
                    for i in range(first + low + 1, first + low + _BLOCK):
                        changed |= plane[i] ^ plane[i - 1]
                    if changed == 0:
                        low = high
                        continue
                for c in range(low, high):
                    at = first + c
                    label = int(plane[at])
                    if label == 0 or (c > 0 and plane[at - 1] == label) or owner[at] > before:
                        continue
                    if only != 0 and only != label:
                        continue
                    is_hole = r > 0 and plane[at - columns] == label
                    if is_hole:
                        west = at - columns
                        while west > first - columns and plane[west - 1] == label:
                            west -= 1
                        component = owner[west]
                    else:
                        components += 1
                        component = components
                    count, pinches = _follow(plane, rows, columns, r, c, owner, component, walk)
                    head = (label, component, k)
                    if pinches < 2:
                        corners, rings = _keep(walk, 0, count, head, is_hole, corners, rings, used)
                    else:
                        corners, rings = _split(
                            walk, count, columns + 1, head, place, corners, rings, used
                        )
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
) -> tuple[int, int]:
    """Walk round one ring; gives the number of turns, and of turns at ambiguous corners.

    ``walk`` receives row, column and whether ambiguous of each corner where the ring turns.
    """
    label = plane[first_row * columns + first_column]
    owner[first_row * columns + first_column] = component
    r, c, heading = first_row, first_column, 0  # 0 up, 1 right, 2 down, 3 left
    count = pinches = 0
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
            pinch = left and not right  # two samples meet at this corner only: stay with one
            pinches += pinch
            walk[count, 0] = r
            walk[count, 1] = c
            walk[count, 2] = pinch
            count += 1
            heading = (heading + (3 if right else 1)) & 3
        if heading == 0:
            r -= 1
            owner[r * columns + c] = component
            if r == first_row and c == first_column:
                return count, pinches
        elif heading == 1:
            c += 1
        elif heading == 2:
            r += 1
        else:
            c -= 1


@kernel
def _split(
    walk: Integers,
    count: int,
    width: int,
    head: tuple[int, int, int],
    place: Integers,
    corners: Integers,
    rings: Table,
    used: Table,
) -> tuple[Integers, Table]:
    """Cut a ring that passes a corner twice into rings that do not; keep each.

    ``place`` holds, for each corner of the lattice, one more than its place on the stack (which is
    the beginning of ``walk``); all 0 before and after.
    """
    top = 0
    for i in range(count):
        r, c, pinch = walk[i, 0], walk[i, 1], walk[i, 2]
        at = r * width + c
        if pinch and place[at] > 0:
            start = place[at] - 1
            corners, rings = _keep(
                walk, start, top, head, _is_negative(walk, start, top), corners, rings, used
            )
            for j in range(start + 1, top):
                place[walk[j, 0] * width + walk[j, 1]] = 0
            top = start + 1
            continue
        walk[top, 0], walk[top, 1], walk[top, 2] = r, c, pinch
        top += 1
        if pinch:
            place[at] = top
    for j in range(top):
        place[walk[j, 0] * width + walk[j, 1]] = 0
    return _keep(walk, 0, top, head, _is_negative(walk, 0, top), corners, rings, used)


@kernel
def _is_negative(walk: Integers, start: int, stop: int) -> bool:
    """Whether the signed area in the (column, row) plane is negative: the ring bounds a hole."""
    area = 0
    j = stop - 1
    for i in range(start, stop):
        area += np.int64(walk[j, 1]) * walk[i, 0] - np.int64(walk[i, 1]) * walk[j, 0]
        j = i
    return area < 0


@kernel
def _keep(
    walk: Integers,
    start: int,
    stop: int,
    head: tuple[int, int, int],
    is_hole: bool,
    corners: Integers,
    rings: Table,
    used: Table,
) -> tuple[Integers, Table]:
    """Append one ring; gives the tables, which are new ones when they had to grow."""
    n, m = used[0], used[1]
    end = n + stop - start
    if end > len(corners):
        larger = np.empty((max(end, 2 * len(corners)), 2), np.int32)
        larger[:n] = corners[:n]
        corners = larger
    if m == len(rings):
        longer = np.empty((2 * m, 6), np.int64)
        longer[:m] = rings
        rings = longer
    for i in range(start, stop):
        corners[n + i - start, 0] = walk[i, 0]
        corners[n + i - start, 1] = walk[i, 1]
    rings[m, 0] = head[0]
    rings[m, 1] = head[1]
    rings[m, 2] = is_hole
    rings[m, 3] = head[2]
    rings[m, 4] = n
    rings[m, 5] = end
    used[0], used[1] = end, m + 1
    return corners, rings
