"""Things cut out of pictures, to be pasted into others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from delineate.detectors.counting.pictures import Picture
from delineate.phantom.trap_insects import KINDS, insect

__all__ = ["Sticker", "cut_out", "drawn"]

_REACH = 0.9  # of a thing's length, around its point
_FAINT, _CLEAR = 0.06, 0.18  # differences from the background, of full scale
_UNEVEN = 0.12  # of the background, at most
_FILLED = 0.3  # of the middle, at least


@dataclass(frozen=True, slots=True, eq=False)
class Sticker:
    """A thing without its background.

    Parameters
    ----------
    values
        float32 ``(4, n, n)``: red, green, blue and opacity from 0 to 1; the point in the middle.
    kind, size
        Category and length in pixels.
    """

    values: NDArray[np.float32]
    kind: int
    size: float

    def paste(
        self, onto: NDArray[np.float32], zoom: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Paste at a random place, turned, enlarged by a factor; gives row and column.

        ``onto`` is float32 ``(3, row, column)`` and is changed.
        """
        side = 2 * ceil(self.values.shape[1] * zoom * 0.72) + 1
        turn = rng.uniform(0, 2 * np.pi)
        scale = side / (self.values.shape[1] * zoom)
        flip = float(rng.choice([-1.0, 1.0]))
        rows = [
            [np.cos(turn) * scale * flip, -np.sin(turn) * scale, 0.0],
            [np.sin(turn) * scale * flip, np.cos(turn) * scale, 0.0],
        ]
        grid = F.affine_grid(torch.tensor([rows]).float(), [1, 4, side, side], align_corners=False)
        source = torch.from_numpy(self.values)[None]
        turned = F.grid_sample(source, grid, align_corners=False)[0].numpy()
        place = rng.integers(0, onto.shape[1:])
        low = place - side // 2
        first, last = np.maximum(low, 0), np.minimum(low + side, onto.shape[1:])
        (top, left), (bottom, right) = first - low, last - low
        own = turned[:, top:bottom, left:right]
        part = onto[:, first[0] : last[0], first[1] : last[1]]
        part *= 1 - own[3]
        part += own[:3] * own[3]
        return place.astype(float)


def cut_out(picture: Picture) -> Iterator[Sticker]:
    """Cut out what stands alone before an even background.

    A pixel is the more opaque the more it differs from the median of a ring around the thing.
    """
    if not len(picture.points):
        return
    gaps = KDTree(picture.points).query(picture.points, k=2)[0][:, 1]
    for point, kind, size, gap in zip(
        picture.points, picture.kinds, picture.sizes, gaps, strict=True
    ):
        reach = ceil(_REACH * size)
        row, column = np.rint(point).astype(int)
        box = picture.pixels[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ]
        if gap < size or box.shape[:2] != (2 * reach + 1, 2 * reach + 1):
            continue
        values = box.astype(np.float32) / 255
        steps = np.arange(-reach, reach + 1)
        radius = np.hypot(steps[:, None], steps[None]) / reach
        ring = values[(radius > 0.8) & (radius <= 1)]
        if ring.std(axis=0).max() > _UNEVEN:
            continue
        differs = np.abs(values - np.median(ring, axis=0)).max(axis=2)
        opacity = np.clip((differs - _FAINT) / (_CLEAR - _FAINT), 0, 1)
        opacity *= np.clip((1 - radius) / 0.2, 0, 1)
        opacity = ndimage.gaussian_filter(opacity, 0.6)
        if opacity[radius < 0.3].mean() >= _FILLED:
            stacked = np.concatenate([values.transpose(2, 0, 1), opacity[None]])
            yield Sticker(stacked.astype(np.float32), int(kind), float(size))


def drawn(count: int, seed: int) -> list[Sticker]:
    """Insects that were never photographed, 8 to 40 pixels long."""
    rng = np.random.default_rng([seed, 5])
    stickers = []
    for number in range(count):
        length = float(np.exp(rng.uniform(np.log(8), np.log(40))))
        layer = insect(KINDS[number % len(KINDS)], length, rng).transpose(2, 0, 1).copy()
        layer[:3] /= np.maximum(layer[3:], 1e-6)
        stickers.append(Sticker(layer, 0, length))
    return stickers
