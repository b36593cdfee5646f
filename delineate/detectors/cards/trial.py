"""Run a card's graph once, to see whether it is what the card says."""

from __future__ import annotations

import numpy as np

from delineate.detectors.cards.card import OnnxPart
from delineate.imaging import Grid, Image
from delineate.plugins import DetectorSpec, Wants
from delineate.plugins.host import Host

__all__ = ["tried"]

_SECONDS = 300.0
_SIDE = 64


def tried(spec: DetectorSpec, part: OnnxPart) -> None:
    """Run a graph once on a blank image, in a process of its own."""
    with Host(spec, time_limit=_SECONDS) as host:
        host.run(_blank(spec.wants, part), spec.options())


def _blank(wants: Wants, part: OnnxPart) -> Image:
    """The smallest image of the form that a card wants, or one of the size that it takes."""
    taken = part.input
    size = taken.size or (_SIDE,) * taken.axes
    shape = (1, *size) if taken.axes == 2 else size
    least, most = wants.min_size or (1, 1, 1), wants.tile or (1 << 16,) * 3
    fitting = [min(max(n, a), b) for n, a, b in zip(shape, least, most, strict=True)]
    spacing = wants.spacing_mm or (1.0, 1.0, 1.0)
    channels = tuple(f"channel {n}" for n in range(_channels(wants, part)))
    dtype: type[np.generic] = np.int16 if "CT" in wants.modalities else np.uint8
    if wants.window is not None:
        dtype = np.float32
    grid = Grid.regular((fitting[0], fitting[1], fitting[2]), spacing, unit=wants.unit or "px")
    array = np.zeros((*grid.shape, *([len(channels)] if channels else [])), dtype)
    return Image(array, grid, (*wants.modalities, "photo")[0], channels)


def _channels(wants: Wants, part: OnnxPart) -> int:
    """Channels of a blank image; 0 for a grey one."""
    if wants.channels is not None:
        return wants.channels
    return len(part.input.mean) if len(part.input.mean) > 1 else 0
