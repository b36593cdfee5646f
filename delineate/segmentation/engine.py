"""Run a network over an image: sample, tile, merge and settle, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.errors import OptionError, UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.plugins import Monitor
from delineate.segmentation.body import Body, Box, find_body
from delineate.segmentation.merge import Merger, Slab
from delineate.segmentation.model import Model
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.tiles import Layer, plan_layers, tile_weights
from delineate.segmentation.working import Working, working_grid

if TYPE_CHECKING:
    import torch

    from delineate.segmentation.backends.protocol import Backend
    from delineate.segmentation.card_merge import CardMerger

__all__ = ["Area", "Plan", "RegionMm", "cropped", "make_plan", "slabs"]

Area = Literal["body", "whole"]
Triple = tuple[int, int, int]
RegionMm = tuple[float, float, float, float, float, float]

_SLICES = 16  # that the sampler is asked for at once


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What will be computed.

    Parameters
    ----------
    working
        The working grid; its ``tile`` is the one used, which may be smaller than the model's.
    layers
        All tiles.
    box
        Part of the working grid that holds all tiles, and a sample of background around them.
    """

    working: Working
    layers: tuple[Layer, ...]
    box: Box

    @property
    def tiles(self) -> int:
        """How many times the network runs."""
        return sum(len(layer.corners) for layer in self.layers)


def cropped(image: Image, model: Model) -> tuple[Image, tuple[slice, slice, slice]]:
    """The part of an image that a model looks at, and where in the image it lies."""
    everything = (slice(0, image.grid.shape[0]), slice(None), slice(None))
    if model.sampling.crop == "none":
        return image, everything
    there = image.array != 0
    there = there.any(axis=3) if there.ndim == 4 else there
    if not there.any():
        return image, everything
    ends = []
    for axis in range(3):
        line = np.flatnonzero(there.any(axis=tuple(each for each in range(3) if each != axis)))
        ends.append((int(line[0]), int(line[-1]) + 1))
    start = (ends[0][0], ends[1][0], ends[2][0])
    shape = tuple(high - low for low, high in ends)
    box = (slice(*ends[0]), slice(*ends[1]), slice(*ends[2]))
    grid = image.grid.crop(start, (shape[0], shape[1], shape[2]))
    return Image(image.array[box], grid, image.modality, image.channels), box


def make_plan(
    image: Image,
    model: Model,
    tile: Triple,
    *,
    overlap: float,
    area: Area = "body",
    region_mm: RegionMm | None = None,
) -> Plan:
    """Decide where tiles go.

    Parameters
    ----------
    image
        Already cropped.
    model
        What it wants.
    tile
        In the model's order of axes; the model's own or a smaller one.
    overlap
        Share that neighbouring tiles have in common.
    area
        ``"body"``: on CT, tiles cover the body alone and what lies beyond is background.
        ``"whole"``: they cover all.
    region_mm
        ``(x low, x high, y low, y high, z low, z high)`` in LPS: tiles cover the region alone.

    Raises
    ------
    OptionError
        If the region is none.
    UnsuitableImageError
        If it lies outside of the image.
    """
    working = working_grid(image.grid, model.sampling, tile)
    body = Body.everywhere(working.valid)
    if area == "body" and image.modality == "CT":
        body = find_body(image, working).within(working.valid)
    if region_mm is not None:
        body = body.within(_region(working.grid, working.valid, region_mm))
    layers = plan_layers(working.grid.shape, working.tile, overlap, model.tiles.placement, body)
    return Plan(working, layers, _box(layers, working))


def _region(grid: Grid, valid: Box, region_mm: RegionMm) -> Box:
    low, high = np.array(region_mm[::2]), np.array(region_mm[1::2])
    ends = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    places = grid.to_index(ends)
    first = np.floor(places.min(axis=0) + 0.5).astype(int)
    last = np.ceil(places.max(axis=0) + 0.5).astype(int)
    box = tuple((max(a, v), min(b, w)) for a, b, (v, w) in zip(first, last, valid, strict=True))
    if not (low < high).all():
        raise OptionError(
            "expected region_mm as x low, x high, y low, y high, z low, z high, each low below "
            f"its high; got {region_mm}"
        )
    if any(a >= b for a, b in box):
        corners = np.sort(grid.corners, axis=0)[[0, -1]].round(1).tolist()
        raise UnsuitableImageError(
            f"expected a region (x low, x high, y low, y high, z low, z high) in LPS mm that "
            f"touches the image, got {region_mm}; the image lies between {corners[0]} and "
            f"{corners[1]}"
        )
    return (box[0], box[1], box[2])


def _box(layers: Sequence[Layer], working: Working) -> Box:
    if not layers:
        return ((0, 0), (0, 0), (0, 0))
    corners = np.array([(layer.start, *corner) for layer in layers for corner in layer.corners])
    low, high = corners.min(axis=0) - 1, (corners + working.tile).max(axis=0) + 1
    low, high = np.maximum(low, 0), np.minimum(high, working.grid.shape)
    ends = [(int(a), int(b)) for a, b in zip(low, high, strict=True)]
    return (ends[0], ends[1], ends[2])


def slabs(
    plan: Plan,
    sampler: Sampler,
    model: Model,
    backend: Backend,
    monitor: Monitor,
    *,
    threads: int,
    extra: Callable[[int, int], NDArray[np.float32]] | None = None,
    order: Callable[[Sequence[tuple[int, int]]], Sequence[tuple[int, int]]] = tuple,
) -> Iterator[Slab]:
    """Settled logits of all that the plan covers, from the first slice to the last.

    Parameters
    ----------
    plan, sampler, model
        What to look at, and with what.
    backend
        The model's network, for tiles of the plan's shape with axes in the order of its grid.
    monitor
        Told of each tile, and asked before each whether to stop.
    threads
        How many threads may merge.
    extra
        Further channels of the network's input for some slices, ``(channel, slice, row, column)``.
    order
        In which order the tiles of a layer are computed; the answer does not depend on it, but
        for rounding.

    Yields
    ------
    Slab
        Valid until the next one.
    """
    if not plan.layers:
        return
    tile = plan.working.tile
    weight = tile_weights(tile, model.tiles.weight)
    window = _Window(sampler, extra, plan, monitor)
    merger: Merger | CardMerger | None = None
    done = 0
    for number, layer in enumerate(plan.layers):
        stop = plan.layers[number + 1].start if number + 1 < len(plan.layers) else plan.box[0][1]
        seen = window.slices(layer.start, layer.start + tile[0])
        corners = list(order(layer.corners))
        for first in range(0, len(corners), backend.batch):
            monitor.checkpoint()
            some = corners[first : first + backend.batch]
            answers = _logits(
                backend,
                [
                    seen[:, :, row : row + tile[1], column : column + tile[2]]
                    for row, column in some
                ],
            )
            if merger is None:
                merger = _merger(plan, model, answers, weight, threads)
            for answer, (row, column) in zip(answers, some, strict=True):
                merger.add(answer, (layer.start, row, column))
            done += len(some)
            monitor.progress(done / plan.tiles, "network")
        assert merger is not None
        yield from merger.take(stop)


def _merger(
    plan: Plan, model: Model, answers: torch.Tensor, weight: NDArray[np.float32], threads: int
) -> Merger | CardMerger:
    """One that merges where the answers are."""
    from delineate.segmentation.card_merge import CardMerger

    sigmoid, channels = model.activation == "sigmoid", answers.shape[1]
    if answers.device.type == "cpu":
        return Merger(plan.box, weight, channels, model.classes, sigmoid, threads)
    return CardMerger(plan.box, weight, channels, model.classes, sigmoid, answers.device)


def _logits(backend: Backend, parts: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    import torch

    with torch.inference_mode():
        return backend.run(torch.from_numpy(np.stack(parts)))


class _Window:
    """Inputs of the network for a range of slices that only moves on."""

    def __init__(
        self,
        sampler: Sampler,
        extra: Callable[[int, int], NDArray[np.float32]] | None,
        plan: Plan,
        monitor: Monitor,
    ) -> None:
        self._sampler, self._extra, self._monitor = sampler, extra, monitor
        self._depth, self._plane = plan.working.grid.shape[0], (plan.box[1], plan.box[2])
        self._first, self._held = 0, np.empty((0, 0, 0, 0), np.float32)

    def slices(self, first: int, stop: int) -> NDArray[np.float32]:
        """``(channel, stop - first, row, column)``."""
        held = self._first + self._held.shape[1]
        if held <= first or not self._held.size:
            self._first, self._held = first, self._made(first, stop)
        elif held < stop:
            kept = self._held[:, first - self._first :]
            self._first, self._held = first, np.concatenate([kept, self._made(held, stop)], axis=1)
        start = first - self._first
        return self._held[:, start : start + stop - first]

    def _made(self, first: int, stop: int) -> NDArray[np.float32]:
        stop = min(self._depth, max(stop, first + _SLICES))
        parts = []
        for start in range(first, stop, _SLICES):
            self._monitor.checkpoint()
            end = min(stop, start + _SLICES)
            parts.append(self._sampler.inputs(start, end, self._plane))
        made = np.concatenate(parts, axis=1)
        return made if self._extra is None else np.concatenate([made, self._extra(first, stop)])
