"""Masks as run lengths, the way COCO stores them: down the columns, beginning with background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Runs", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Runs:
    """The mask of one label in one slice.

    Parameters
    ----------
    label
        Which.
    counts
        As COCO's compressed string.
    area
        Number of samples.
    box
        First column, first row, number of columns, number of rows.
    """

    label: int
    counts: str
    area: int
    box: tuple[int, int, int, int]


def encode(plane: NDArray[Any]) -> Iterator[Runs]:
    """Run lengths of each label of a slice ``(row, column)``, by label."""
    from delineate.formats.rle_kernel import column_runs, pack  # numba is slow to import

    if not plane.any():
        return
    plane = np.ascontiguousarray(plane)
    plane.setflags(write=False)  # one memory layout is compiled for
    runs = np.empty((4096, 3), np.int64)
    count = column_runs(plane, runs)
    if count > len(runs):
        runs = np.empty((count, 3), np.int64)
        column_runs(plane, runs)
    runs = runs[np.argsort(runs[:count, 0], kind="stable")]
    labels, first = np.unique(runs[:, 0], return_index=True)
    parts = np.split(runs, first[1:])
    counts = [_counts(part, plane.size) for part in parts]
    starts = np.cumsum([0] + [len(one) for one in counts])
    text, ends = np.empty(7 * int(starts[-1]), np.uint8), np.empty(len(parts), np.int64)
    pack(np.concatenate(counts), starts, text, ends)
    begin = 0
    for label, part, end in zip(labels.tolist(), parts, ends.tolist(), strict=True):
        packed = text[begin:end].tobytes().decode("ascii")
        yield Runs(label, packed, int((part[:, 2] - part[:, 1]).sum()), _box(part, len(plane)))
        begin = end


def decode(counts: str | Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask ``(row, column)`` of run lengths, given as a string or as numbers.

    Raises
    ------
    ValueError
        If they are no run lengths, or not of a mask of this shape.
    """
    from delineate.formats.rle_kernel import unpack  # numba is slow to import

    if isinstance(counts, str):
        text = np.frombuffer(counts.encode("ascii"), np.uint8)
        lengths = np.empty(len(text), np.int64)
        count = unpack(text, lengths)
        if count < 0:
            raise ValueError("the string of a mask holds no run lengths")
        lengths = lengths[:count]
    else:
        lengths = np.array([int(count) for count in counts], np.int64)
    size = shape[0] * shape[1]
    if len(lengths) and (lengths.min() < 0 or lengths.max() > size):
        raise ValueError(f"a run is longer than the mask of {size} samples, or negative")
    if int(lengths.sum()) != size:
        raise ValueError(f"the runs of a mask add up to {int(lengths.sum())}, expected {size}")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(shape[::-1]).T


def _counts(runs: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Lengths of background and mask in turn; a last background of none is left out."""
    edges = np.concatenate(([0], runs[:, 1:].ravel(), [size]))
    counts: NDArray[np.int64] = np.diff(edges)
    return counts if counts[-1] else counts[:-1]


def _box(runs: NDArray[np.int64], rows: int) -> tuple[int, int, int, int]:
    first, last = runs[:, 1], runs[:, 2] - 1
    left, right = int(first[0] // rows), int(last[-1] // rows)
    if (first // rows != last // rows).any():  # a run that goes on in the next column
        return left, 0, right - left + 1, rows
    top, bottom = int((first % rows).min()), int((last % rows).max())
    return left, top, right - left + 1, bottom - top + 1
