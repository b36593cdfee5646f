"""An image as the input of a network, and maps of a network back on the image's samples."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.interpretation import InputPart
from delineate.errors import BadDetectionError, UnsuitableImageError

__all__ = ["Frame", "fill"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """How samples of an image lie in a network's input.

    Both are counted along the axes that the network sees: ``(row, column)``, or
    ``(slice, row, column)``.

    Parameters
    ----------
    extent
        Samples of the image.
    target
        Samples of the input.
    stretched
        Whether the outer faces of both coincide; else the image begins at index 0 and what lies
        behind it is padding.
    """

    extent: Shape
    target: Shape
    stretched: bool

    @classmethod
    def of(cls, taken: InputPart, extent: Shape) -> Frame:
        """Where an image of that extent goes.

        Raises
        ------
        UnsuitableImageError
            If it is larger than a network of fixed size takes.
        """
        if taken.size is None:
            steps = taken.multiple
            return cls(extent, tuple(ceil(n / steps) * steps for n in extent), False)
        if taken.fit == "pad" and any(n > most for n, most in zip(extent, taken.size, strict=True)):
            raise UnsuitableImageError(
                f"the network takes {taken.size} samples, got {extent}; let the card cut images "
                "(wants.tile) or stretch them (fit)"
            )
        return cls(extent, taken.size, taken.fit == "stretch")

    def to_image(self, indices: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
        """Indices ``(n, axes)`` on an output of ``shape`` as indices on the image's samples."""
        over = self.extent if self.stretched else self.target
        ratio = np.array(over, np.float64) / np.array(shape, np.float64)
        return np.asarray((indices + 0.5) * ratio - 0.5)

    def spread(self, maps: NDArray[Any], order: int = 1) -> NDArray[Any]:
        """Maps ``(channel, *any)`` of an output on the image's samples ``(channel, *extent)``.

        Outputs coarser or finer than the input are interpolated, by nearest sample for
        ``order`` 0; outer faces coincide.
        """
        over = self.extent if self.stretched else self.target
        if maps.shape[1:] != over:
            maps = np.stack([_resized(one, over, order) for one in maps])
        return maps[(slice(None), *(slice(n) for n in self.extent))]


def fill(taken: InputPart, samples: NDArray[Any], coloured: bool, frame: Frame) -> NDArray[Any]:
    """The input of a network.

    Parameters
    ----------
    taken
        What the network takes.
    samples
        ``frame.extent``, and channels behind if ``coloured``.
    coloured
        Whether there is an axis of channels.
    frame
        Where the samples go.

    Returns
    -------
    array
        ``(1, channel, *target)`` or ``(1, *target, channel)``, as the layout says, contiguous.

    Raises
    ------
    UnsuitableImageError
        If the image has other channels than the card picks or has means for, or holds values
        that the network's dtype does not.
    """
    planes = np.moveaxis(samples, -1, 0) if coloured else samples[None]
    if taken.channels:
        if max(taken.channels) >= len(planes):
            raise UnsuitableImageError(
                f"the card picks channels {taken.channels} (counted from 0), the image has "
                f"{len(planes)}"
            )
        planes = planes[list(taken.channels)]
    if frame.stretched and frame.extent != frame.target:
        planes = np.stack([_resized(one, frame.target, 1) for one in planes])
    planes = _scaled(taken, planes)
    if not frame.stretched:
        behind = [(0, most - n) for n, most in zip(frame.extent, frame.target, strict=True)]
        mode: Any = "edge" if taken.padding == "edge" else "constant"
        planes = np.pad(planes, [(0, 0), *behind], mode)
    if taken.layout[1] != "C":
        planes = np.moveaxis(planes, 0, -1)
    return np.ascontiguousarray(planes[None])


def _scaled(taken: InputPart, planes: NDArray[Any]) -> NDArray[Any]:
    """``(value * scale - mean) / std`` in the network's dtype."""
    dtype = np.dtype(taken.dtype)
    for name, numbers in (("mean", taken.mean), ("std", taken.std)):
        if len(numbers) not in (0, 1, len(planes)):
            raise UnsuitableImageError(
                f"the card has {len(numbers)} numbers for {name}, the image {len(planes)} channels"
            )
    if dtype.kind == "f":
        shape = (-1, *[1] * (planes.ndim - 1))
        values: NDArray[Any] = planes.astype(np.float32) * np.float32(taken.scale)
        values -= np.array(taken.mean or (0.0,), np.float32).reshape(shape)
        values /= np.array(taken.std or (1.0,), np.float32).reshape(shape)
        return values.astype(dtype, copy=False)
    values = planes if taken.scale == 1 else planes * taken.scale
    if values.dtype.kind == "f":
        values = np.rint(values)
    limits = np.iinfo(dtype)
    if values.min() < limits.min or values.max() > limits.max:
        raise UnsuitableImageError(
            f"the network takes {dtype} samples, the image's go from {values.min():g} to "
            f"{values.max():g}; let the card scale them (scale, or wants.window)"
        )
    return values.astype(dtype)


def _resized(samples: NDArray[Any], shape: Shape, order: int) -> NDArray[Any]:
    """Samples on another number of samples, outer faces together; smoothed where fewer."""
    from skimage.transform import resize

    if samples.ndim != len(shape):
        raise BadDetectionError(
            f"expected maps of {len(shape)} axes from the network, got the shape {samples.shape}"
        )
    fewer = order > 0 and any(new < old for new, old in zip(shape, samples.shape, strict=True))
    kind = samples.dtype if order == 0 else np.float32
    found: NDArray[Any] = resize(
        samples.astype(kind, copy=False),
        shape,
        order=order,
        mode="edge",
        anti_aliasing=fewer,
        preserve_range=True,
    )
    return found.astype(kind, copy=False)
