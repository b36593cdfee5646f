"""Patches of pictures with points: seen from elsewhere, in another light, with more things on them.

Heights of the target are Gaussians about the points; see `target_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from delineate.detectors.counting.light import relit
from delineate.detectors.counting.pictures import Picture
from delineate.detectors.counting.stickers import cut_out, drawn
from delineate.segmentation.training.trainer import Example

__all__ = ["PointPatches", "Recipe", "normalised", "target_of"]

Points = NDArray[np.float64]
T = TypeVar("T")

_DRAWN = 200  # insects to paste, where traps are learned from


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How patches are drawn.

    Parameters
    ----------
    side
        Rows and columns of a patch.
    kinds
        Categories.
    zoom
        Patches are enlarged and shrunk by up to this factor.
    sigma
        Of the Gaussians, as a share of a thing's length; from 1.5 to 6 pixels.
    smallest, largest
        Lengths in pixels that are to be found. Of things up to a third smaller and up to a half
        larger nothing is said; others count as background.
    pointed
        How often a patch is placed on a point.
    relit
        How often it is seen by another camera in another light.
    pasted
        How often things of other pictures are pasted in.
    made
        How often a patch is of the pictures that were made, where there are some.
    """

    side: int = 96
    kinds: int = 1
    zoom: float = 1.25
    sigma: float = 0.2
    smallest: float = 0.0
    largest: float = inf
    pointed: float = 0.7
    relit: float = 0.35
    pasted: float = 0.2
    made: float = 0.2


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network is given: uint8 ``(row, column, 3)`` as float32 ``(3, row, column)``."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / 127.5 - 1


def target_of(
    points: Points, kinds: NDArray[np.int64], lengths: Points, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Gaussians around points, 1 at the pixel nearest to each, and where they say something.

    Parameters
    ----------
    points
        ``(n, 2)``: row and column in the patch; some may lie outside of it.
    kinds, lengths
        ``(n,)``.
    recipe
        Side, categories and lengths to find.

    Returns
    -------
    target, weight
        float32 ``(kinds, side, side)`` and ``(1, side, side)``.
    """
    target = np.zeros((recipe.kinds, recipe.side, recipe.side), np.float32)
    weight = np.ones((1, recipe.side, recipe.side), np.float32)
    for (row, column), kind, length in zip(points, kinds, lengths, strict=True):
        if length < recipe.smallest / 1.5 or length > recipe.largest * 1.5:
            continue
        if recipe.smallest <= length <= recipe.largest:
            sigma = float(np.clip(recipe.sigma * length, 1.5, 6.0))
            box, squares = _around(row, column, 3 * sigma, recipe.side)
            high = np.exp(-squares / (2 * sigma**2)).astype(np.float32)
            np.maximum(target[(int(kind), *box)], high, out=target[(int(kind), *box)])
        else:
            box, squares = _around(row, column, length / 3, recipe.side)
            weight[(0, *box)][squares <= (length / 3) ** 2] = 0
    return target, weight


def _around(
    row: float, column: float, reach: float, side: int
) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """The part of a patch near a point, and squared distances to the pixel nearest to it."""
    r, c, far = round(row), round(column), ceil(reach)
    rows = slice(min(side, max(0, r - far)), max(0, min(side, r + far + 1)))
    columns = slice(min(side, max(0, c - far)), max(0, min(side, c + far + 1)))
    down = np.arange(rows.start, rows.stop)[:, None] - r
    right = np.arange(columns.start, columns.stop)[None] - c
    return (rows, columns), (down**2 + right**2).astype(float)


class PointPatches:
    """Patches by number; the same number and seed always give the same patch.

    Parameters
    ----------
    real
        Pictures to draw from.
    made
        Generated pictures to draw from as well; maybe none.
    recipe
        How.
    seed
        Of the run.
    """

    def __init__(
        self, real: Sequence[Picture], made: Sequence[Picture], recipe: Recipe, seed: int
    ) -> None:
        if not real and not made:
            raise ValueError("expected at least one picture to learn from, got none")
        self._real, self._made, self._recipe, self._seed = real, made, recipe, seed
        self._stickers = [each for picture in real for each in cut_out(picture)]
        if made:
            self._stickers += drawn(_DRAWN, seed)

    def __call__(self, number: int) -> Example:
        """Draw one: inputs ``(3, 1, side, side)``, target, weight."""
        rng = np.random.default_rng([self._seed, number])
        recipe = self._recipe
        made = not self._real or (bool(self._made) and rng.random() < recipe.made)
        picture = _pick(self._made if made else self._real, rng)
        zoom = float(np.exp(rng.uniform(-1, 1) * np.log(recipe.zoom)))
        matrix, centre = _view(picture, recipe, zoom, rng)
        values, inside = _seen(picture.pixels, matrix, centre, recipe.side)
        middle = (recipe.side - 1) / 2
        points = (picture.points - centre) @ np.linalg.inv(matrix).T + middle
        kinds, lengths = picture.kinds, picture.sizes * zoom
        if self._stickers and rng.random() < recipe.pasted:
            for _ in range(int(rng.integers(1, 9))):
                sticker = _pick(self._stickers, rng)
                larger = zoom * float(np.exp(rng.normal(0, 0.2)))
                point = sticker.paste(values, larger, rng)
                points = np.concatenate([points, point[None]])
                kinds = np.append(kinds, sticker.kind)
                lengths = np.append(lengths, sticker.size * larger)
        target, weight = target_of(points, kinds, lengths, recipe)
        if rng.random() < recipe.relit:
            values = relit(self._mixed(values, rng), rng)
        values = values * 2 - 1
        weight *= inside
        return (
            torch.from_numpy(values)[:, None],
            torch.from_numpy(target)[:, None],
            torch.from_numpy(weight)[:, None],
        )

    def _mixed(self, values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Now and then, a little of another picture, without its things, shines through."""
        if not self._real or rng.random() >= 0.15:
            return values
        other, side = _pick(self._real, rng), self._recipe.side
        matrix, centre = _view(other, self._recipe, 1.0, rng)
        points = (other.points - centre) @ np.linalg.inv(matrix).T + (side - 1) / 2
        if ((points > 0) & (points < side)).all(axis=1).any():
            return values
        share = np.float32(rng.uniform(0.05, 0.3))
        return (1 - share) * values + share * _seen(other.pixels, matrix, centre, side)[0]


def _pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _view(
    picture: Picture, recipe: Recipe, zoom: float, rng: np.random.Generator
) -> tuple[Points, Points]:
    """How a patch lies in its picture: pixels of the patch to pixels of the picture, its centre."""
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.exp(rng.normal(0, 0.06, 2)) * rng.choice([-1.0, 1.0], 2)
    matrix = matrix @ np.diag(stretch) / zoom
    last = np.array(picture.pixels.shape[:2]) - 1.0
    centre = rng.uniform(0, last)
    if len(picture.points) and rng.random() < recipe.pointed:
        point = picture.points[int(rng.integers(len(picture.points)))]
        centre = point + rng.uniform(-0.4, 0.4, 2) * recipe.side / zoom
    room = np.minimum(0.4 * recipe.side / zoom, last / 2)  # most of a patch lies in its picture
    return matrix, np.clip(centre, room, last - room)


def _seen(
    pixels: NDArray[np.uint8], matrix: Points, centre: Points, side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sample a patch: float32 ``(3, side, side)`` from 0 to 1, and where the picture goes on.

    Pixels that are smaller than the patch's are averaged in blocks first.
    """
    steps = np.arange(side) - (side - 1) / 2
    corners = np.array([(a, b) for a in steps[[0, -1]] for b in steps[[0, -1]]]) @ matrix.T + centre
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 3, pixels.shape[:2])
    # Where each pixel of the patch lies: rows and columns of the picture, counted from `low`.
    places = [
        (matrix[axis, 0] * steps[:, None] + (matrix[axis, 1] * steps + centre[axis])).astype(
            np.float32
        )
        for axis in (0, 1)
    ]
    inside = np.ones((side, side), bool)
    for place, count in zip(places, pixels.shape, strict=False):
        inside &= (place > -0.5) & (place < count - 0.5)
    if (high - low < 1).any():
        return np.zeros((3, side, side), np.float32), inside
    part = torch.from_numpy(pixels[low[0] : high[0], low[1] : high[1]].astype(np.float32))
    source = part.permute(2, 0, 1)[None] / 255
    local = [place - np.float32(first) for place, first in zip(places, low, strict=True)]
    block = int(abs(np.linalg.det(matrix)) ** 0.5 + 0.3)
    if block > 1:
        source = F.avg_pool2d(source, block, ceil_mode=True, count_include_pad=False)
        local = [(place - (block - 1) / 2) / block for place in local]
    # Fractions of the half-extent, columns first, as grid_sample wants them.
    fractions = [
        place / max(count - 1, 1) * 2 - 1
        for place, count in zip(local, source.shape[2:], strict=True)
    ]
    grid = torch.from_numpy(np.stack(fractions[::-1], axis=-1).astype(np.float32, copy=False))
    seen = F.grid_sample(source, grid[None], padding_mode="border", align_corners=True)
    return seen[0].numpy(), inside
