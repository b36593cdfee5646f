"""Sum up labels run by run; see :mod:`delineate.contour.measure`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["collect", "patterns", "squares", "tally"]

Labels = NDArray[np.uint8] | NDArray[np.uint16]


@kernel
def tally(
    labels: Labels, size: int
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]
]:
    """Count, place and bound every label below ``size`` in one pass.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order.
    size
        Greater than the greatest label.

    Returns
    -------
    count
        ``(size,)``: samples.
    sums
        ``(size, 3)``: *twice* the sums of slice, row and column indices: whole numbers, so exact.
    box
        ``(size, 6)``: lowest and highest slice, row and column; the high ends exclusive.
    largest
        ``(size, 2)``: samples in the slice with most of them, and the first such slice.
    spans
        ``(n, 5)``: label, slice, row, and the lowest and highest (exclusive) column of that label
        there; by slice, then row.
    """
    slices, rows, columns = labels.shape
    count = np.zeros(size, np.int64)
    sums = np.zeros((size, 3), np.int64)
    box = np.zeros((size, 6), np.int64)
    largest = np.zeros((size, 2), np.int64)
    seen = np.zeros(size, np.int64)  # count before this slice
    spans = np.empty((4096, 5), np.int32)
    place = np.full(size, -1, np.int64)  # of the last span of each label
    found = 0
    for k in range(slices):
        seen[:] = count
        for r in range(rows):
            c = 0
            while c < columns:
                label = labels[k, r, c]
                start = c
                c += 1
                # Equal bytes eight by eight, then one by one.
                while c + 8 <= columns:
                    changed = labels[k, r, c] ^ label
                    for i in range(1, 8):
                        changed |= labels[k, r, c + i] ^ label
                    if changed != 0:
                        break
                    c += 8
                while c < columns and labels[k, r, c] == label:
                    c += 1
                if label == 0:
                    continue
                if count[label] == 0:
                    box[label, 0], box[label, 1] = k, k + 1
                    box[label, 2], box[label, 3] = r, r + 1
                    box[label, 4], box[label, 5] = start, c
                else:
                    box[label, 1] = k + 1
                    box[label, 2] = min(box[label, 2], r)
                    box[label, 3] = max(box[label, 3], r + 1)
                    box[label, 4] = min(box[label, 4], start)
                    box[label, 5] = max(box[label, 5], c)
                last = place[label]
                if last >= 0 and spans[last, 2] == r and spans[last, 1] == k:
                    spans[last, 4] = c
                else:
                    if found == len(spans):
                        longer = np.empty((2 * found, 5), np.int32)
                        longer[:found] = spans
                        spans = longer
                    spans[found, 0], spans[found, 1], spans[found, 2] = label, k, r
                    spans[found, 3], spans[found, 4] = start, c
                    place[label] = found
                    found += 1
                length = c - start
                count[label] += length
                sums[label, 0] += 2 * k * length
                sums[label, 1] += 2 * r * length
                sums[label, 2] += (start + c - 1) * length
        for label in range(1, size):
            area = count[label] - seen[label]
            if area > largest[label, 0]:
                largest[label, 0], largest[label, 1] = area, k
    return count, sums, box, largest, spans[:found]


@kernel
def collect(
    labels: Labels, values: NDArray[Any], spans: NDArray[np.int32], out: NDArray[Any]
) -> None:
    """Put the values under one label one after the other.

    Parameters
    ----------
    labels, values
        ``(slice, row, column)``, C order.
    spans
        ``(n, 5)``: those of the label, from :func:`tally`.
    out
        ``(count,)``: filled.
    """
    n = 0
    for s in range(len(spans)):
        label, k, r = spans[s, 0], spans[s, 1], spans[s, 2]
        for c in range(spans[s, 3], spans[s, 4]):
            if labels[k, r, c] == label:
                out[n] = values[k, r, c]
                n += 1


@kernel
def squares(values: NDArray[Any], mean: float) -> float:
    """The sum of the squares of what values are off their mean."""
    total = 0.0
    for value in values:
        total += (value - mean) ** 2
    return total


@kernel
def patterns(
    labels: Labels, box: NDArray[np.int64], place: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Count the patterns of 2 x 2 x 2 neighbouring samples, for every label in one pass.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, C order; what lies beyond counts as background.
    box
        ``(6,)``: low and high (exclusive) slice, row and column of where any label is.
    place
        Row of the table for each label; that of background is not used.
    size
        Number of rows of the table.

    Returns
    -------
    array
        ``(size, 256)``: how often each pattern (see :mod:`delineate.contour.surface_cell`) occurs;
        0 and 255 are not counted.
    """
    table = np.zeros((size, 256), np.int64)
    rows, columns = box[3] - box[2], box[5] - box[4]
    each = 8 // labels.itemsize
    width = (columns + 1 + each) // each * each
    one, rest = np.uint64(8 * labels.itemsize), np.uint64(64 - 8 * labels.itemsize)
    below = np.zeros((rows + 2, width), labels.dtype)
    above = np.zeros((rows + 2, width), labels.dtype)
    for k in range(box[0], box[1] + 1):
        below, above = above, below
        if k < box[1]:
            for r in range(rows):
                inner, source = above[r + 1], labels[k, box[2] + r, box[4] : box[5]]
                for c in range(columns):
                    inner[c + 1] = source[c]
        else:
            above[:] = 0
        for r in range(rows + 1):
            a, b, d, e = below[r], below[r + 1], above[r], above[r + 1]
            words, second = a.view(np.uint64), b.view(np.uint64)
            third, fourth = d.view(np.uint64), e.view(np.uint64)
            left = unlike = np.uint64(0)
            for w in range(width // each):
                word = words[w]
                differ = (word ^ second[w]) | (word ^ third[w]) | (word ^ fourth[w])
                same = (differ | unlike) == 0 and word == (word << one | left)
                left, unlike = word >> rest, differ >> rest
                if same:  # as the samples beside and the one before: nothing begins or ends
                    continue
                first = max(each * w - 1, 0)
                for c in range(first, min(each * w + each - 1, columns + 1)):
                    _count(
                        table,
                        place,
                        (a[c], a[c + 1], b[c], b[c + 1]),
                        (d[c], d[c + 1], e[c], e[c + 1]),
                    )
    return table


@kernel
def _count(
    table: NDArray[np.int64],
    place: NDArray[np.int64],
    low: tuple[int, int, int, int],
    high: tuple[int, int, int, int],
) -> None:
    """Count the pattern of each label among eight samples."""
    done = low[0]
    corners = low + high
    for i in range(8):
        label = corners[i]
        if label == 0 or (i > 0 and label == done):
            continue
        pattern, earlier = 0, False
        for j in range(8):
            if corners[j] == label:
                earlier |= j < i
                pattern |= 1 << j
        done = label
        if not earlier and pattern != 255:
            table[place[label], pattern] += 1
