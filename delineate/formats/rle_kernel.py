"""Runs of labels down the columns; see :mod:`delineate.formats.rle`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour.compiled import kernel

__all__ = ["column_runs", "pack", "unpack"]

Numbers = NDArray[np.int64]


@kernel
def column_runs(plane: NDArray[Any], runs: Numbers) -> int:
    """Find the runs of equal labels, down the first column, then down the next.

    Parameters
    ----------
    plane
        ``(row, column)``.
    runs
        ``(n, 3)``; filled with label, first sample and the one after the last, background left
        out. With room for too few, the rest is only counted.

    Returns
    -------
    int
        How many runs there are.
    """
    rows, columns = plane.shape
    count, label, start = 0, 0, 0
    for place in range(rows * columns + 1):
        value = 0
        if place < rows * columns:
            value = int(plane[place % rows, place // rows])
        if value != label:
            if label:
                if count < len(runs):
                    runs[count, 0], runs[count, 1], runs[count, 2] = label, start, place
                count += 1
            label, start = value, place
    return count


@kernel
def pack(counts: Numbers, starts: Numbers, text: NDArray[np.uint8], ends: Numbers) -> None:
    """Write counts as pycocotools' strings: differences to the last but one, six bits a byte.

    Parameters
    ----------
    counts
        Of all masks, one after the other.
    starts
        ``(m + 1,)``: where those of each mask begin and end.
    text
        Room for seven bytes a count.
    ends
        ``(m,)``; filled with where the string of each mask ends in ``text``.
    """
    at = 0
    for mask in range(len(ends)):
        for i in range(starts[mask], starts[mask + 1]):
            value = counts[i]
            if i - starts[mask] > 2:
                value -= counts[i - 2]
            more = True
            while more:
                bits = value & 0x1F
                value >>= 5
                more = value != -1 if bits & 0x10 else value != 0
                text[at] = 48 + (bits | 0x20 if more else bits)
                at += 1
        ends[mask] = at


@kernel
def unpack(text: NDArray[np.uint8], counts: Numbers) -> int:
    """Read what `pack` writes for one mask into ``counts``, as long as the text.

    Returns
    -------
    int
        How many counts there are; -1 for text that is none of ours.
    """
    found, value, shift = 0, 0, 0
    for byte in text:
        bits = int(byte) - 48
        if bits < 0 or bits > 63 or shift > 50:
            return -1
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value |= -1 << shift
            if found > 2:
                value += counts[found - 2]
            counts[found] = value
            found, value, shift = found + 1, 0, 0
    return found if shift == 0 else -1
