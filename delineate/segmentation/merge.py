"""Merge the answers of overlapping tiles, slab by slab, in memory that does not grow.

Only a window of slices is held. As soon as no further tile reaches a slice it is settled, handed
out, and its place used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.segmentation.body import Box

if TYPE_CHECKING:
    import torch

__all__ = ["Merger", "Slab", "in_parallel"]

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """Settled slices of a part of the working grid; valid until the next one is taken.

    Parameters
    ----------
    first
        Slice of the working grid at which the arrays begin.
    fresh
        First slice that no slab before held; the one ahead of it is repeated, so that between
        the two can be interpolated.
    corner
        Row and column of the working grid at which the arrays begin.
    logits
        float32 ``(slice, row, column, class)``.
    code
        uint8 ``(slice, row, column)``; see `merge_kernel.settled`.
    last
        Whether none follows.
    """

    first: int
    fresh: int
    corner: tuple[int, int]
    logits: NDArray[np.float32]
    code: NDArray[np.uint8]
    last: bool

    @property
    def stop(self) -> int:
        """One past the last slice."""
        return self.first + len(self.code)


class Merger:
    """Sums up weighted logits within a box of the working grid.

    Parameters
    ----------
    box
        Of the working grid; tiles lie within.
    weight
        What each sample of a tile counts.
    channels, classes
        Channels of an answer, and how many of them are classes.
    sigmoid
        Whether classes are regions.
    threads
        How many threads may add.
    """

    def __init__(
        self,
        box: Box,
        weight: NDArray[np.float32],
        channels: int,
        classes: int,
        sigmoid: bool,
        threads: int,
    ) -> None:
        (self._base, self._end), (top, bottom), (left, right) = box
        self._settled = self._base
        self._corner = top, left
        self._weight, self._classes, self._sigmoid = weight, classes, sigmoid
        self._threads = threads
        depth = min(self._end - self._base, weight.shape[0] + 2)
        plane = bottom - top, right - left
        self._total = np.zeros((depth, *plane, channels), np.float32)
        self._mass = np.zeros((depth, *plane), np.float32)
        self._code = np.zeros((depth, *plane), np.uint8)

    @staticmethod
    def bytes_needed(box: Box, tile: Triple, channels: int) -> int:
        """Memory of a merger."""
        (low, high), (top, bottom), (left, right) = box
        depth = min(high - low, tile[0] + 2)
        return depth * (bottom - top) * (right - left) * (4 * channels + 5)

    def add(self, answer: torch.Tensor, corner: Triple) -> None:
        """Add a tile's logits ``(class, slice, row, column)``, which begin at ``corner``.

        All slices before the tile must have been taken, and it must lie within the box.
        """
        from delineate.segmentation.merge_kernel import add_channels_first, add_channels_last

        array = answer.numpy()
        place = np.array(
            [corner[0] - self._base, corner[1] - self._corner[0], corner[2] - self._corner[1]]
        )
        if (place < 0).any() or (place + self._weight.shape > self._mass.shape).any():
            raise ValueError(f"a tile at {corner} is not within what is being merged")
        last = array.strides[0] == array.itemsize and array.shape[0] > 1
        array = array.transpose(1, 2, 3, 0) if last else array
        run = add_channels_last if last else add_channels_first

        def part(first: int, stop: int) -> None:
            run(self._total, self._mass, array, self._weight, place, first, stop)

        in_parallel(part, self._weight.shape[0], self._threads)

    def take(self, stop: int) -> Iterator[Slab]:
        """Settle all slices before ``stop`` and hand them out; no further tile reaches them."""
        from delineate.segmentation.merge_kernel import settled

        while self._settled < stop:
            upto = min(stop, self._base + len(self._total))
            low, high = self._settled - self._base, upto - self._base

            def part(first: int, last: int, low: int = low) -> None:
                window = slice(low + first, low + last)
                settled(
                    self._total[window],
                    self._mass[window],
                    self._classes,
                    self._sigmoid,
                    self._code[window],
                )

            in_parallel(part, high - low, self._threads)
            yield Slab(
                self._base,
                self._settled,
                self._corner,
                self._total[:high],
                self._code[:high],
                upto == self._end,
            )
            self._slide(high - 1)
            self._settled = upto

    def _slide(self, gone: int) -> None:
        """Let go of the first slices; the last settled one stays, to be interpolated from."""
        kept = len(self._total) - gone
        for array in (self._total, self._mass, self._code):
            for number in range(kept):  # slice by slice: the ranges overlap
                array[number] = array[number + gone]
            array[kept:] = 0
        self._base += gone


def in_parallel(run: Callable[[int, int], None], count: int, threads: int) -> None:
    """Call ``run(first, stop)`` for parts of a range, in threads; raises what any of them does."""
    parts = max(1, min(threads, count))
    if parts == 1:
        run(0, count)
        return
    ends = [count * number // parts for number in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(run, ends[:-1], ends[1:]))
