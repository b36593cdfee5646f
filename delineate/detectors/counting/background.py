"""Whether things lie on a card, or before anything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

__all__ = ["is_plain"]

_BLOCKS = 32  # along the longer side: what is counted, and texture, vanish in them
_DARK = 8.0  # of 255, added before logarithms: colours of what is nearly black mean nothing
_HUE, _LIGHT = 0.08, 0.32  # natural logarithms: a twelfth of a colour, a third of brightness
_SHARE = 0.5


def is_plain(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture shows a card: at least half of it has one colour, in more or less light.

    The picture is averaged in blocks. A block belongs to the card if the logarithms of its red,
    green and blue, less their mean, are within 0.08 of their medians over the picture, and the
    mean within 0.32: lamps and shadows move the mean alone.

    Parameters
    ----------
    pixels
        ``(row, column, 3)``.
    """
    picture = Pillow.fromarray(pixels)
    factor = min(1.0, _BLOCKS / max(picture.size))
    sides = [max(1, round(side * factor)) for side in picture.size]
    blocks = np.asarray(picture.resize(sides, Pillow.Resampling.BOX), np.float64)
    logs = np.log(blocks + _DARK)
    light = logs.mean(axis=2)
    hue = logs - light[..., None]
    same = np.abs(hue - np.median(hue, axis=(0, 1))).max(axis=2) < _HUE
    same &= np.abs(light - np.median(light)) < _LIGHT
    return bool(same.mean() >= _SHARE)
