"""Outputs of a network: which one, in which order of axes, as probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.tensors import Frame
from delineate.errors import BadDetectionError

__all__ = ["activated", "main_output", "maps_of", "softmax"]

_NEARLY = 1e-3  # by which probabilities may leave 0 to 1


def main_output(name: str | None, outputs: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[Any]]:
    """The output of that name, or the first one.

    Raises
    ------
    BadDetectionError
        If it did not come.
    """
    found = next(iter(outputs), None) if name is None else name
    if found is None or found not in outputs:
        raise BadDetectionError(
            f"expected an output {name or 'at least'!r} of the network, got {sorted(outputs)}"
        )
    return found, outputs[found]


def maps_of(
    name: str,
    array: NDArray[Any],
    frame: Frame,
    channels_last: bool,
    channels: int | None = None,
) -> NDArray[Any]:
    """An output as maps ``(channel, *spatial)``.

    Parameters
    ----------
    name
        For messages.
    array
        With an axis of one image in front, and maybe one of channels.
    frame
        Tells how many other axes there are.
    channels_last
        Whether channels are the last axis.
    channels
        How many there have to be; ``None`` for any.

    Raises
    ------
    BadDetectionError
        If the array is of another form.
    """
    axes = len(frame.target)
    if array.ndim not in (axes + 1, axes + 2) or array.shape[0] != 1 or 0 in array.shape:
        raise BadDetectionError(
            f"expected the output {name!r} as maps of one image with {axes} axes, got the shape "
            f"{array.shape}"
        )
    maps = array[0] if array.ndim == axes + 2 else array
    if channels_last and array.ndim == axes + 2:
        maps = np.moveaxis(maps, -1, 0)
    if channels is not None and len(maps) != channels:
        raise BadDetectionError(
            f"expected {channels} channels of the output {name!r}, got {len(maps)}"
        )
    return maps


def activated(name: str, values: NDArray[Any], activation: str) -> NDArray[Any]:
    """Values ``(channel, ...)`` as probabilities; ``"none"``: they are some already.

    Raises
    ------
    BadDetectionError
        If they are said to be, and are not.
    """
    values = values.astype(np.promote_types(values.dtype, np.float32), copy=False)
    if activation == "softmax":
        return softmax(values)
    if activation == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))  # never overflows
    return _probabilities(name, values)


def _probabilities(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Values that are from 0 to 1, rounding mended."""
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low < -_NEARLY or high > 1 + _NEARLY:
        raise BadDetectionError(
            f"expected probabilities in the output {name!r}, got values from {low:g} to {high:g}; "
            "say in the card which activation makes some of them (sigmoid, softmax)"
        )
    return values.clip(0, 1)


def softmax(values: NDArray[Any]) -> NDArray[Any]:
    """Over the first axis."""
    powers = np.exp(values - values.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
