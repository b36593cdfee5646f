"""Labels on the image's own grid, from logits on the working grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.segmentation.merge import Slab, in_parallel
from delineate.segmentation.working import Working

__all__ = ["Restorer", "label_table"]


def label_table(activation: str, outputs: tuple[int, ...]) -> NDArray[np.uint8]:
    """Label of each code that `merge_kernel.settled` gives.

    Parameters
    ----------
    activation
        ``"softmax"``: codes are labels. ``"sigmoid"``: a code holds a bit for each output.
    outputs
        Of a sigmoid model: label of each output; of those that hold the last one counts.
    """
    if activation == "softmax":
        return np.arange(256, dtype=np.uint8)
    table = np.zeros(256, np.uint8)
    for code in range(1, 1 << len(outputs)):
        table[code] = outputs[code.bit_length() - 1]
    return table


class Restorer:
    """Fills a label map of an image slab by slab, as logits of its working grid are settled.

    Each sample gets the class whose trilinearly interpolated logit is the largest, so that outlines
    follow the interpolated boundary and not the steps of the working grid. No logits of the
    image's size ever exist.

    Parameters
    ----------
    working
        The working grid and how it lies to the image's.
    classes, sigmoid
        Channels that are classes; whether they are regions.
    label_of
        From `label_table`, where labels that are not wanted may have been set to 0.
    threads
        How many threads may fill.
    """

    def __init__(
        self,
        working: Working,
        classes: int,
        sigmoid: bool,
        label_of: NDArray[np.uint8],
        threads: int,
    ) -> None:
        self.labels = np.zeros(working.source.shape, np.uint8)
        self._working, self._threads = working, threads
        self._classes, self._sigmoid, self._label_of = classes, sigmoid, label_of
        self._begun = False

    def add(self, slab: Slab) -> None:
        """Fill the samples that lie within a slab; before the first and after the last as well."""
        from delineate.segmentation.restore_kernel import uniform_cells

        if not slab.last and slab.stop - slab.first == 1:
            return  # one slice: between it and the next one nothing is known yet
        low = slab.first if self._begun else -np.inf
        high = np.inf if slab.last else slab.stop - 1
        self._begun = True
        cells = uniform_cells(slab.code)
        if self._working.places is not None:
            self._along(slab, cells, low, high)
        else:
            self._any(slab, cells, low, high)

    def _along(self, slab: Slab, cells: NDArray[np.uint8], low: float, high: float) -> None:
        from delineate.segmentation.restore_kernel import along_axes

        working = self._working
        out = working.turn(self.labels)
        z, y, x = (self._lines(axis) for axis in range(3))
        wanted = np.flatnonzero((z >= low) & (z < high))
        if not wanted.size:
            return
        begin, end = int(wanted[0]), int(wanted[-1]) + 1
        z = np.clip(z[begin:end] - slab.first, 0, len(slab.code) - 1)
        # Rows and columns beyond the slab stay background, as its outermost samples are there.
        y, x = y - slab.corner[0], x - slab.corner[1]
        rows = np.flatnonzero((y >= 0) & (y <= slab.code.shape[1] - 1))
        columns = np.flatnonzero((x >= 0) & (x <= slab.code.shape[2] - 1))
        if not rows.size or not columns.size:
            return
        out = out[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        y, x = y[rows], x[columns]

        def part(first: int, stop: int) -> None:
            target = out[begin + first : begin + stop]
            along_axes(
                slab.logits,
                cells,
                z[first:stop],
                y,
                x,
                self._classes,
                self._sigmoid,
                self._label_of,
                target,
            )

        in_parallel(part, end - begin, self._threads)

    def _lines(self, axis: int) -> NDArray[np.float64]:
        """Places of the turned image's samples along an axis, on the working grid."""
        working = self._working
        assert working.places is not None
        low, high = working.valid[axis]
        places = working.places[axis]
        step = float(places[high - 1] - places[low]) / (high - 1 - low) if high - low > 1 else 1.0
        found = (np.arange(working.turned_shape[axis]) - places[low]) / step + low
        found = np.clip(found, low, high - 1)
        return np.asarray(np.floor(found + 0.5) if axis == working.nearest else found)

    def _any(self, slab: Slab, cells: NDArray[np.uint8], low: float, high: float) -> None:
        from delineate.segmentation.restore_kernel import any_direction

        ends = np.array([[0.0, n - 1.0] for n in self._working.grid.shape])
        ends[0] = slab.first, slab.stop - 1
        ends[1:] -= np.array(slab.corner)[:, None]
        ends[1:] = np.clip(ends[1:], 0, np.array(slab.code.shape[1:])[:, None] - 1)
        matrix = self._working.matrix.copy()
        matrix[1:, 3] -= slab.corner

        def part(first: int, stop: int) -> None:
            any_direction(
                slab.logits,
                cells,
                matrix,
                float(slab.first),
                low,
                high,
                ends,
                first,
                self._classes,
                self._sigmoid,
                self._label_of,
                self.labels[first:stop],
            )

        in_parallel(part, self.labels.shape[0], self._threads)
