"""Cut a working grid into tiles, layer by layer, over the body alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.segmentation.body import Body

__all__ = ["Layer", "plan_layers", "tile_starts", "tile_weights"]

Triple = tuple[int, int, int]
Placement = Literal["even", "flush"]
Weight = Literal["gaussian", "nnunet", "constant"]

_SIGMA = 0.125
_LEAST_WEIGHT = {"gaussian": 1e-3, "nnunet": 6e-9}  # nnU-Net: the smallest number of a half


@dataclass(frozen=True, slots=True)
class Layer:
    """Tiles that begin at the same slice: the ``(row, column)`` that each begins at."""

    start: int
    corners: tuple[tuple[int, int], ...]


def tile_starts(size: int, tile: int, overlap: float, placement: Placement) -> list[int]:
    """Where tiles begin along one axis.

    Parameters
    ----------
    size
        Samples to cover, at least ``tile``.
    tile
        Samples of a tile.
    overlap
        Share that two neighbours have in common, at least.
    placement
        ``"even"``: evenly spread, as nnU-Net; ``"flush"``: at fixed steps, the last flush with
        the end, as MONAI.
    """
    room = size - tile
    if room <= 0:
        return [0]
    if placement == "even":
        count = int(np.ceil(room / max(1.0, tile * (1 - overlap)))) + 1
        return [int(np.round(room / (count - 1) * number)) for number in range(count)]
    step = max(1, int(tile * (1 - overlap)))
    return sorted({min(start, room) for start in range(0, room + step, step)})


def tile_weights(tile: Triple, kind: Weight) -> NDArray[np.float32]:
    """What each sample of a tile counts when answers are merged; see `model.Tiles.weight`."""
    if kind == "constant":
        return np.ones(tile, np.float32)
    total = np.ones(tile)
    for axis, count in enumerate(tile):
        offset = np.arange(count) - (count // 2 if kind == "nnunet" else (count - 1) / 2)
        line = np.exp(-0.5 * (offset / (_SIGMA * count)) ** 2)
        total = total * line.reshape([-1 if axis == each else 1 for each in range(3)])
    return np.maximum(total, _LEAST_WEIGHT[kind]).astype(np.float32)


def plan_layers(
    shape: Triple, tile: Triple, overlap: float, placement: Placement, body: Body
) -> tuple[Layer, ...]:
    """Plan tiles that cover the body, from the first layer to the last.

    Parameters
    ----------
    shape
        Of the working grid, at least ``tile`` along each axis.
    tile, overlap, placement
        See `tile_starts`.
    body
        What has to be covered. The tiles of a layer cover the box around what lies in its slices.
    """
    first, stop = body.extent
    if first == stop:
        return ()
    first, stop = _at_least(first, stop, tile[0], shape[0])
    layers = []
    for shift in tile_starts(stop - first, tile[0], overlap, placement):
        start = first + shift
        box = body.box(start, start + tile[0])
        if box is None:
            continue
        lines = []
        for axis in (1, 2):
            low, high = _at_least(*box[axis], tile[axis], shape[axis])
            lines.append(
                [low + each for each in tile_starts(high - low, tile[axis], overlap, placement)]
            )
        layers.append(Layer(start, tuple((row, column) for row in lines[0] for column in lines[1])))
    return tuple(layers)


def _at_least(low: int, high: int, size: int, room: int) -> tuple[int, int]:
    """A range grown to a size within ``room``."""
    missing = max(0, size - (high - low))
    low = min(max(0, low - missing // 2), max(0, room - size))
    return low, max(high, low + size)
