"""Bring an image to its working grid, slab by slab, and normalise it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnsuitableImageError
from delineate.imaging import Image
from delineate.segmentation import operators
from delineate.segmentation.intensity import Step, applied, fixed
from delineate.segmentation.model import Model
from delineate.segmentation.working import Working

__all__ = ["Sampler"]

Array = NDArray[np.float32]
Plane = tuple[tuple[int, int], tuple[int, int]]

_BLOCK_SHARE = 7 / 12
"""A block that is averaged spans about this share of a working step."""

_PART_SAMPLES = 8_000_000
_AIR_HU = -1000.0
_MOST = 1e30  # in place of infinity


class Sampler:
    """Gives slabs of an image on its working grid; holds no second copy of the image.

    Along the image's own axes sampling is three small matrix products. An oblique or tilted image
    is interpolated linearly, with methods that average between means of blocks.

    Parameters
    ----------
    image
        What is looked at; already cropped.
    working
        Its working grid.
    model
        What the network wants.
    """

    def __init__(self, image: Image, working: Working, model: Model) -> None:
        channels = max(1, len(image.channels))
        if (most := max(channel for channel, _ in model.inputs) + 1) > channels:
            raise UnsuitableImageError(
                f"model {model.name} reads {most} channels, the image has {channels}"
            )
        self._image, self.working, self._model = image, working, model
        self._turned = working.turn(image.array)
        self._before = model.sampling.normalise == "before"
        self._operators = _operators(working, model) if working.places is not None else None
        self._blocks: dict[int, tuple[NDArray[Any], tuple[int, ...]]] = {}
        self._steps = tuple(
            fixed(steps, lambda channel=channel: self._parts(channel))  # type: ignore[misc]
            for channel, steps in model.inputs
        )
        self._limits = [self._range(n) for n in range(len(model.inputs))]

    def raw(self, first: int, stop: int) -> Array:
        """The image's first channel, not normalised: float32 ``(stop - first, row, column)``."""
        return self._sampled(self._model.inputs[0][0], (), first, stop, None, self._plane)

    def inputs(self, first: int, stop: int, plane: Plane | None = None) -> Array:
        """What the network sees: float32 ``(channel, stop - first, row, column)``, normalised.

        Parameters
        ----------
        first, stop
            Slices of the working grid.
        plane
            First and one past the last row and column that are wanted; all else is 0. ``None``:
            all of them.
        """
        working, plane = self.working, plane or self._plane
        out = np.zeros((len(self._steps), stop - first, *working.grid.shape[1:]), np.float32)
        inside = out[:, :, slice(*plane[0]), slice(*plane[1])]
        last: tuple[int, Array] | None = None
        for number, (channel, _) in enumerate(self._model.inputs):
            steps, limits = self._steps[number], self._limits[number]
            if self._before:
                inside[number] = self._sampled(channel, steps, first, stop, limits, plane)
                continue
            if last is None or last[0] != channel:
                last = channel, self._sampled(channel, (), first, stop, limits, plane)
            inside[number] = applied(steps, last[1])
        if self._model.tiles.padding == "zero":
            for axis, (low, high) in enumerate(working.valid):
                shift = first if axis == 0 else 0
                padded = np.moveaxis(out, axis + 1, 0)
                padded[: max(0, low - shift)] = 0
                padded[max(0, high - shift) :] = 0
        return out

    def _parts(self, channel: int) -> Iterator[Array]:
        """The whole image, sampled where normalising comes after it."""
        if self._before:
            step = max(1, _PART_SAMPLES // max(1, int(np.prod(self._turned.shape[1:3]))))
            for start in range(0, self._turned.shape[0], step):
                yield self._source(channel, start, start + step)
            return
        (first, last), rows, columns = self.working.valid
        step = max(1, _PART_SAMPLES // int(np.prod(self.working.grid.shape[1:])))
        for start in range(first, last, step):
            part = self._sampled(channel, (), start, min(last, start + step), None, self._plane)
            yield part[:, slice(*rows), slice(*columns)]

    @property
    def _plane(self) -> Plane:
        _, rows, columns = self.working.grid.shape
        return (0, rows), (0, columns)

    def _range(self, number: int) -> tuple[float, float] | None:
        """Smallest and largest normalised value, which splines must not pass."""
        if self._model.sampling.method != "cubic" or self.working.nearest is not None:
            return None
        channel = self._model.inputs[number][0]
        low, high = np.inf, -np.inf
        for start in range(0, self._turned.shape[0], 16):
            part = self._source(channel, start, start + 16)
            low, high = min(low, float(part.min())), max(high, float(part.max()))
        ends = np.array([low, high], np.float32)
        ends = applied(self._steps[number], ends) if self._before else ends
        return float(ends.min()), float(ends.max())

    def _source(self, channel: int, first: int, stop: int) -> Array:
        """Slices of the turned image, float32, without NaN."""
        part = self._turned[first:stop]
        part = part[..., channel] if part.ndim == 4 else part
        plain = np.ascontiguousarray(part, np.float32)
        if part.dtype.kind == "f":
            air = _AIR_HU if self._image.modality == "CT" else 0.0
            plain = np.nan_to_num(plain, nan=air, posinf=_MOST, neginf=air)
        return plain

    def _sampled(
        self,
        channel: int,
        steps: Sequence[Step],
        first: int,
        stop: int,
        limits: tuple[float, float] | None,
        plane: Plane,
    ) -> Array:
        if self._operators is None:
            whole = self._interpolated(channel, steps, first, stop)
            return whole[:, slice(*plane[0]), slice(*plane[1])]
        shape = (stop - first, *(high - low for low, high in plane))
        out = np.empty(shape, np.float32)
        few = max(1, int((stop - first) * _PART_SAMPLES / self._needed(first, stop)))
        for start in range(first, stop, few):
            end = min(stop, start + few)
            out[start - first : end - first] = self._product(channel, steps, start, end, plane)
        return out if limits is None else np.clip(out, *limits, out=out)

    def _needed(self, first: int, stop: int) -> int:
        """Samples of the image that some slices of the working grid need."""
        assert self._operators is not None
        low, high = operators.reach(self._operators[0][first:stop])
        return (high - low) * int(np.prod(self._turned.shape[1:3]))

    def _product(
        self, channel: int, steps: Sequence[Step], first: int, stop: int, plane: Plane
    ) -> Array:
        import torch

        assert self._operators is not None
        slices, rows, columns = self._operators
        rows, columns = rows[slice(*plane[0])], columns[slice(*plane[1])]
        low, high = operators.reach(slices[first:stop])
        plain = self._source(channel, low, high)
        part = torch.from_numpy(applied(steps, plain) if steps else plain)
        apart = self.working.nearest == 0 and self._model.sampling.method == "cubic"
        ends = (part.amin((1, 2), keepdim=True), part.amax((1, 2), keepdim=True)) if apart else None
        part = torch.from_numpy(rows) @ (part @ torch.from_numpy(columns).T)
        part = part.clamp(*ends) if ends is not None else part
        shape = (stop - first, *part.shape[1:])
        weights = torch.from_numpy(np.ascontiguousarray(slices[first:stop, low:high]))
        return (weights @ part.reshape(high - low, -1)).reshape(shape).numpy()

    def _interpolated(self, channel: int, steps: Sequence[Step], first: int, stop: int) -> Array:
        from delineate.segmentation.sampler_kernel import trilinear

        if channel not in self._blocks:
            self._blocks[channel] = self._block_means(channel, steps)
        blocks, factors = self._blocks[channel]
        matrix = np.linalg.inv(np.vstack([self.working.matrix, [0, 0, 0, 1]]))[:3]
        scale = np.asarray(factors, float)
        matrix[:, 3] -= (scale - 1) / 2
        matrix /= scale[:, None]
        out = np.empty((stop - first, *self.working.grid.shape[1:]), np.float32)
        trilinear(blocks, np.ascontiguousarray(matrix), first, out)
        return out

    def _block_means(
        self, channel: int, steps: Sequence[Step]
    ) -> tuple[NDArray[Any], tuple[int, ...]]:
        """Means over blocks of the image as it is stored, and their sizes."""
        array = self._image.array
        array = array[..., channel] if array.ndim == 4 else array
        factors: tuple[int, ...] = (1, 1, 1)
        if self._model.sampling.method == "average":
            wanted = _BLOCK_SHARE * min(self.working.grid.spacing)
            spacing = self._image.grid.spacing
            factors = tuple(
                max(1, min(round(wanted / step), count))
                for step, count in zip(spacing, array.shape, strict=True)
            )
        shape = [-(-n // f) for n, f in zip(array.shape, factors, strict=True)]
        blocks = np.empty(shape, np.float32)
        down, across = (
            operators.averaging((np.arange(s) + 0.5) * f - 0.5, n, f).T
            for s, f, n in zip(shape[1:], factors[1:], array.shape[1:], strict=True)
        )
        for number in range(shape[0]):
            part = array[number * factors[0] : (number + 1) * factors[0]].astype(np.float32)
            part = np.nan_to_num(part, copy=False, nan=_AIR_HU) if array.dtype.kind == "f" else part
            part = applied(steps, part) if steps else part
            blocks[number] = down.T @ part.mean(axis=0) @ across
        return blocks, factors


def _operators(working: Working, model: Model) -> tuple[Array, Array, Array]:
    """One matrix an axis, of working samples from samples of the turned image."""
    assert working.places is not None
    spacing = [working.source.spacing[axis] for axis in working.turned[0]]
    found = []
    for axis, (places, count) in enumerate(zip(working.places, working.turned_shape, strict=True)):
        if axis == working.nearest:
            found.append(operators.nearest(places, count))
        elif model.sampling.method == "cubic":
            found.append(operators.cubic(places, count))
        elif model.sampling.method == "linear":
            found.append(operators.linear(places, count))
        else:
            block = round(_BLOCK_SHARE * working.grid.spacing[axis] / spacing[axis])
            found.append(operators.averaging(places, count, block))
    return found[0], found[1], found[2]
