"""Tiled inference: overlapping tiles, weighted by a Gaussian, summed into one volume of logits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from delineate.segmentation.intensity import Window, channels

if TYPE_CHECKING:
    import torch
    from torch import nn

    from delineate.plugins import Monitor

Triple = tuple[int, int, int]

_AIR_HU = -900.0
_SIGMA = 0.125
_LEAST_WEIGHT = 1e-3


def tile_starts(size: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along one axis: evenly spaced, the last flush with the end."""
    step = max(1, int(tile * (1 - overlap)))
    starts = list(range(0, max(1, size - tile + step), step))
    return sorted({min(start, max(0, size - tile)) for start in starts})


def tile_weights(tile: Triple) -> torch.Tensor:
    """Gaussian weight of a tile's samples, 1 in its very middle, never below 0.001."""
    import torch

    total = torch.ones(tile)
    for axis, count in enumerate(tile):
        offset = np.arange(count) - (count - 1) / 2
        line = torch.from_numpy(np.exp(-0.5 * (offset / (_SIGMA * count)) ** 2)).float()
        shape = [1, 1, 1]
        shape[axis] = count
        total = total * line.reshape(shape)
    return total.clamp_min(_LEAST_WEIGHT)


def infer(
    network: nn.Module,
    hu: torch.Tensor,
    windows: Sequence[Window],
    tile: Triple,
    overlap: float,
    monitor: Monitor,
    *,
    classes: int,
    device: torch.device | None = None,
    backwards: bool = False,
) -> torch.Tensor:
    """Logits of a whole volume.

    Parameters
    ----------
    network
        In evaluation mode, on `device`.
    hu
        float32, shape (slice, row, column), each size at least that of the tile.
    windows
        Input channels.
    tile, overlap
        Samples of a tile and the share that neighbours have in common.
    monitor
        Told of each tile, and asked before each whether to stop.
    classes
        Channels of the output, background included.
    device
        Where the network is; mixed precision is used on CUDA alone.
    backwards
        Take the tiles in the opposite order; the result agrees to rounding.

    Returns
    -------
    Tensor
        float32, shape (class, slice, row, column), on the CPU. Tiles of nothing but air are not
        computed: there the background has logit 1, all else 0.
    """
    import torch

    device = torch.device("cpu") if device is None else device
    corners = list(
        itertools.product(
            *(tile_starts(n, t, overlap) for n, t in zip(hu.shape, tile, strict=True))
        )
    )
    if backwards:
        corners.reverse()
    weight = tile_weights(tile)
    total = torch.zeros((classes, *hu.shape))
    mass = torch.zeros(tuple(hu.shape))
    for number, corner in enumerate(corners):
        monitor.checkpoint()
        box = tuple(slice(c, c + t) for c, t in zip(corner, tile, strict=True))
        part = hu[box]
        mass[box] += weight
        if float(part.max()) < _AIR_HU:
            total[0][box] += weight
        else:
            inputs = channels(part[None], tuple(windows)).to(device)
            inputs = inputs.contiguous(memory_format=torch.channels_last_3d)
            with torch.inference_mode(), torch.autocast(device.type, enabled=device.type == "cuda"):
                logits = network(inputs)[0]
            total[(slice(None), *box)] += logits.float().cpu() * weight
        monitor.progress((number + 1) / len(corners), "network")
    return total.div_(mass)
