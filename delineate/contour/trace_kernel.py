"""Walk along the cracks of a label volume; see :mod:`delineate.contour.trace`.

Each slice is copied into a *frame*, one sample of background wider on every side, so that a walk
need not look where it is. A sample is known by its number in the frame, a corner by the number of
the sample below and right of it. Slice sample ``(r, c)`` is frame sample ``(r + 1, c + 1)``; its
corner at the top left lies at index ``(r - 0.5, c - 0.5)``.

Every ring is walked with its own samples on the right hand, so it climbs along the left side
("west edge") of a sample at least once. Going through a slice row by row, a west edge that no walk
has passed starts the next ring, and the sample above it tells which kind: if that one carries the
same label the ring bounds a hole, else it is the outer ring of a new 4-connected component.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["crack_rings", "to_world"]

Integers = NDArray[np.int32]
Table = NDArray[np.int64]
Labels = NDArray[np.uint8] | NDArray[np.uint16]

_BLOCK = 64  # samples that are passed over at once where none begins a run


@kernel
def crack_rings(
    labels: Labels, first: int, stop: int, only: int, cut: bool
) -> tuple[Integers, Table]:
    """All rings of all labels, or of ``only`` one if it is not 0.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    first, stop
        The slices to trace.
    only
        Label to trace; 0 for every label but background.
    cut
        Whether a ring that passes a corner twice becomes several.

    Returns
    -------
    corners
        ``(n, 2)``: row and column on the lattice, times two, ring after ring.
    rings
        ``(m, 6)``: label, component, whether a hole, slice, first corner, corner after the last.
        Components are numbered through the slices, in the order of their first sample.
    """
    _, rows, columns = labels.shape
    width = columns + 2
    frame = np.zeros((rows + 2) * width, labels.dtype)
    steps = np.array([-width, 1, width, -1])  # up, right, down, left
    # A west edge was passed in the present slice if its owner is greater than the number of
    # components in the slices before: nothing has to be cleared between slices.
    owner = np.zeros(len(frame), np.int32)
    place = np.zeros(len(frame), np.int32)
    walk = np.empty((2 * len(frame), 2), np.int32)
    begins = np.zeros((rows * columns // _BLOCK + 1) * _BLOCK, np.bool_)
    west_edges = np.empty(rows * columns, np.int32)
    corners = np.empty((1 << 16, 2), np.int32)
    rings = np.empty((256, 6), np.int64)
    used = np.zeros(2, np.int64)  # corners and rings so far
    head = np.zeros(4, np.int64)  # the first columns of a row of rings
    components = 0
    for k in range(first, stop):
        _find_begins(labels[k], begins)
        count = _list_west_edges(begins, columns, west_edges)
        if count == 0:
            continue
        top, bottom = west_edges[0] // width, west_edges[count - 1] // width
        for r in range(top, bottom + 1):
            row, inner = labels[k, r - 1], frame[r * width + 1 : (r + 1) * width - 1]
            for c in range(columns):
                inner[c] = row[c]
        before = components
        for at in west_edges[:count]:
            label = int(frame[at])
            if owner[at] > before or (only != 0 and only != label):
                continue
            if frame[at - width] == label:  # a hole: whose?
                west = at - width
                while frame[west - 1] == label:
                    west -= 1
                component = int(owner[west])
            else:
                components += 1
                component = components
            length, pinched = _follow(frame, steps, int(at), owner, component, walk)
            head[0], head[1], head[3] = label, component, k
            if cut and pinched:
                length, corners, rings = _split(
                    walk, length, place, width, head, corners, rings, used
                )
            corners, rings = _append(walk, 0, length, width, head, corners, rings, used)
        frame[top * width : (bottom + 1) * width] = 0
    return corners[: used[0]], rings[: used[1]]


@kernel
def _find_begins(plane: NDArray[Any], begins: NDArray[np.bool_]) -> None:
    """Mark the samples of a slice that begin a run of their label in a row.

    A loop as plain as this one runs over 16 or 32 samples at a time.
    """
    rows, columns = plane.shape
    flat = plane.reshape(rows * columns)
    here, before, found = flat[1:], flat[:-1], begins[1:]
    for i in range(len(here)):
        found[i] = (here[i] != before[i]) & (here[i] != 0)
    for i in range(0, rows * columns, columns):
        begins[i] = flat[i] != 0


@kernel
def _list_west_edges(begins: NDArray[np.bool_], columns: int, found: Integers) -> int:
    """List the marked samples by number in the frame; gives how many there are."""
    blocks = begins.reshape(len(begins) // _BLOCK, _BLOCK)
    words = begins.view(np.uint64).reshape(len(blocks), 8)
    count = 0
    margin, row_end = columns + 3, columns  # frame sample less slice sample, in this row
    for b in range(len(blocks)):
        block, word = blocks[b], words[b]
        if not (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7]):
            continue
        for w in range(8):
            if word[w] == 0:
                continue
            for i in range(8 * w, 8 * w + 8):
                if block[i]:
                    at = b * _BLOCK + i
                    while at >= row_end:
                        row_end += columns
                        margin += 2
                    found[count] = at + margin
                    count += 1
    return count


@kernel
def _follow(
    frame: Labels,
    steps: Table,
    start: int,
    owner: Integers,
    component: int,
    walk: Integers,
) -> tuple[int, int]:
    """Walk round the ring that climbs sample ``start``.

    Gives the number of its corners, and other than 0 if any is ambiguous. ``walk`` receives each
    corner and whether it is ambiguous. Nothing branches but the end: what a ring does next is as
    good as random, and a processor that guesses it wrong waits.
    """
    label = frame[start]
    at, heading = start, 0  # the sample on the right; an index of steps
    count = pinched = 0
    while True:
        owner[at * (heading == 0)] = component
        ahead = at + steps[heading]
        beside = ahead + steps[(heading + 3) & 3]
        right, left = int(frame[ahead] == label), int(frame[beside] == label)
        walk[count, 0] = at + (heading >> 1) * steps[2] + (((heading + 1) >> 1) & 1)
        walk[count, 1] = left & (1 - right)  # two samples meet at this corner only: stay with one
        pinched |= left & (1 - right)
        turns = left | (1 - right)
        count += turns
        at += right * (ahead - at + left * (beside - ahead))
        heading = (heading + turns * (1 + 2 * right)) & 3
        if at == start and heading == 0:
            return count, pinched


@kernel
def _split(
    walk: Integers,
    count: int,
    place: Integers,
    width: int,
    head: Table,
    corners: Integers,
    rings: Table,
    used: Table,
) -> tuple[int, Integers, Table]:
    """Append all rings but the last of a walk that passes corners twice.

    The corners go onto a stack (the beginning of ``walk``, which is overwritten). When one comes
    that is on it already, all since then are a ring; in the end one is left. ``place`` holds, for
    each ambiguous corner, one more than its place on the stack; all 0 before and after. Gives how
    many corners are left, and the tables as :func:`_append` does.
    """
    top = 0
    for i in range(count):
        corner, ambiguous = walk[i, 0], walk[i, 1]
        start = place[corner] - 1 if ambiguous else -1
        if start < 0:
            walk[top, 0], walk[top, 1] = corner, ambiguous
            top += 1
            if ambiguous:
                place[corner] = top
            continue
        corners, rings = _append(walk, start, top, width, head, corners, rings, used)
        for j in range(start + 1, top):
            place[walk[j, 0]] = 0
        top = start + 1
    for j in range(top):
        place[walk[j, 0]] = 0
    return top, corners, rings


@kernel
def _append(
    walk: Integers,
    start: int,
    stop: int,
    width: int,
    head: Table,
    corners: Integers,
    rings: Table,
    used: Table,
) -> tuple[Integers, Table]:
    """Append part of a walk as a ring; gives the tables, new ones where they had to grow."""
    n, m = used[0], used[1]
    end = n + stop - start
    if end > len(corners):
        larger = np.empty((2 * end, 2), np.int32)
        larger[:n] = corners[:n]
        corners = larger
    if m == len(rings):
        longer = np.empty((2 * m, 6), np.int64)
        longer[:m] = rings
        rings = longer
    per_width = 1.0 / width
    area = 0  # the signed one in the (column, row) plane; that of a hole is negative
    before = walk[stop - 1, 0] // width
    part, ring = walk[start:stop], corners[n:end]
    for i in range(len(part)):
        corner = part[i, 0]
        r = int((corner + 0.5) * per_width)  # quicker than to divide
        c = corner - r * width
        area += c * (r - before)
        before = r
        ring[i, 0] = 2 * r - 2
        ring[i, 1] = 2 * c - 2
    head[2] = area < 0
    rings[m, :4] = head
    rings[m, 4], rings[m, 5] = n, end
    used[0], used[1] = end, m + 1
    return corners, rings


@kernel
def to_world(corners: Integers, rings: Table, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """World positions ``(n, 3)`` of doubled corners, by a grid's ``(4, 4)`` affine."""
    points = np.empty((len(corners), 3))
    for m in range(len(rings)):
        k = float(rings[m, 3])
        for n in range(rings[m, 4], rings[m, 5]):
            r, c = 0.5 * corners[n, 0] - 0.5, 0.5 * corners[n, 1] - 0.5
            for axis in range(3):
                points[n, axis] = (
                    affine[axis, 0] * k
                    + affine[axis, 1] * r
                    + affine[axis, 2] * c
                    + affine[axis, 3]
                )
    return points
