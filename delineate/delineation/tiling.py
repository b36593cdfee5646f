"""Cut an image into the parts that a detector is given, and give them the form it wants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.plugins import Wants

__all__ = ["Tile", "convertible", "cut", "dressed"]

Triple = tuple[int, int, int]

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_COLOUR = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of an image's grid.

    Parameters
    ----------
    start, stop
        Indices ``(slice, row, column)`` of its first samples and of those after its last.
    core_start, core_stop
        The same of what is nearer to this tile's middle than to another's: cores fill the grid
        without gaps or overlaps.
    """

    start: Triple
    stop: Triple
    core_start: Triple
    core_stop: Triple

    @property
    def shape(self) -> Triple:
        """Samples along each axis."""
        a, b, c = (stop - start for start, stop in zip(self.start, self.stop, strict=True))
        return a, b, c

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where its samples are in the image's array."""
        a, b, c = (slice(*pair) for pair in zip(self.start, self.stop, strict=True))
        return a, b, c

    @property
    def core(self) -> tuple[slice, slice, slice]:
        """Where its core is in the image's array."""
        a, b, c = (slice(*pair) for pair in zip(self.core_start, self.core_stop, strict=True))
        return a, b, c

    @property
    def core_within(self) -> tuple[slice, slice, slice]:
        """Where its core is in its own array."""
        a, b, c = (
            slice(low - start, high - start)
            for start, low, high in zip(self.start, self.core_start, self.core_stop, strict=True)
        )
        return a, b, c


def cut(shape: Triple, wants: Wants) -> list[Tile]:
    """Tiles that cover a grid, evenly spread; one if it is small enough.

    Parameters
    ----------
    shape
        Of the grid.
    wants
        Its ``tile`` and ``overlap``.

    Returns
    -------
    list of Tile
        In the order of the axes.
    """
    sizes = wants.tile_shape(shape)
    axes = [
        list(_along(length, size, min(wants.overlap, size // 2)))
        for length, size in zip(shape, sizes, strict=True)
    ]
    return [Tile(*_transposed(parts)) for parts in itertools.product(*axes)]


def _along(length: int, size: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Start, stop and those of the core along one axis."""
    count = 1 if size >= length else -(-(length - overlap) // (size - overlap))
    starts = [round(k * (length - size) / max(1, count - 1)) for k in range(count)]
    edges = [0, *((a + size + b) // 2 for a, b in itertools.pairwise(starts)), length]
    for start, low, high in zip(starts, edges, edges[1:], strict=False):
        yield start, start + size, low, high


def _transposed(parts: tuple[Any, ...]) -> tuple[Triple, Triple, Triple, Triple]:
    a, b, c, d = zip(*parts, strict=True)
    return a, b, c, d


def dressed(image: Image, wants: Wants, tile: Tile | None = None) -> Image:
    """A part of an image with the channels and in the window that a detector wants.

    Parameters
    ----------
    image
        Its grid has the orientation and spacing wanted already.
    wants
        Its ``channels`` and ``window``.
    tile
        Which part; ``None`` for all of it.
    """
    array, grid = image.array, image.grid
    if tile is not None and tile.shape != grid.shape:
        array, grid = array[tile.box], grid.crop(tile.start, tile.shape)
    array, channels = _channels(array, image, wants)
    if wants.window is not None:
        low, high = wants.window
        array = np.clip((array.astype(np.float32) - low) / (high - low), 0.0, 1.0)
    if array is image.array:
        return image
    return Image(array, grid, image.modality, channels)


def convertible(image: Image, channels: int) -> bool:
    """Whether an image has so many channels, or can be given them: a photograph's are known."""
    plain = image.channels[:3] if image.channels[3:] == ("alpha",) else image.channels
    return len(image.channels) == channels or (
        image.modality == "photo" and channels in (0, 3) and plain in ((), _COLOUR)
    )


def _channels(
    array: NDArray[Any], image: Image, wants: Wants
) -> tuple[NDArray[Any], tuple[str, ...]]:
    channels = image.channels
    if wants.channels is None or len(channels) == wants.channels:
        return array, channels
    if wants.channels == 3:
        return (array[..., :3] if channels else np.repeat(array[..., None], 3, axis=-1)), _COLOUR
    grey = array[..., :3].astype(np.float32) @ _LUMINANCE
    return (np.rint(grey).astype(array.dtype) if array.dtype.kind in "ui" else grey), ()
