"""Sticky traps made of numbers: photographs whose insects are known one by one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.imaging import Grid, Image
from delineate.phantom.trap_cards import card, cloud, litter
from delineate.phantom.trap_insects import KINDS, insect

__all__ = ["Trap", "trap", "write_traps"]

Array = NDArray[np.float32]

_EMPTY = 0.12  # share of traps without an insect
_CROWDED = 0.35  # share of traps whose insects lie in groups
_LENGTHS = (7.0, 90.0)  # pixels, of a trap's usual insect
_SHADE = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Trap:
    """A photograph of a trap, and what is on it.

    Parameters
    ----------
    image
        One slice of red, green and blue, uint8.
    points
        ``(n, 3)``: index ``(slice, row, column)`` of the middle of each insect.
    lengths
        ``(n,)``: of the insects, in pixels.
    kinds
        Of the insects; see `trap_insects.KINDS`.
    """

    image: Image
    points: NDArray[np.float64]
    lengths: NDArray[np.float64]
    kinds: tuple[str, ...]


def trap(
    seed: int,
    shape: tuple[int, int] = (512, 512),
    *,
    background: str | None = None,
    kinds: Sequence[str] = (),
    length_px: float | None = None,
    count: int | None = None,
    px_per_mm: float | None = None,
) -> Trap:
    """Make a trap and photograph it; the same seed gives the same picture.

    Parameters
    ----------
    seed
        Decides all that is not said.
    shape
        Rows and columns.
    background
        Of `trap_cards.CARDS`.
    kinds
        Of insects; by default some are drawn.
    length_px
        Of the usual insect; single ones differ by about a quarter.
    count
        Insects.
    px_per_mm
        Scale; with it the grid is in mm.
    """
    rng = np.random.default_rng([seed, 77])
    canvas = litter(card(shape, rng, background), rng)
    chosen = list(kinds) or rng.choice(KINDS, int(rng.integers(1, 5)), replace=False).tolist()
    usual = length_px or float(np.exp(rng.uniform(*np.log(_LENGTHS))))
    number = _number(shape, usual, rng) if count is None else count
    places = _places(number, shape, usual, rng)
    lengths = np.clip(usual * np.exp(rng.normal(0, 0.25, number)), 4.0, 200.0)
    names = tuple(str(rng.choice(chosen)) for _ in range(number))
    light = rng.uniform(-1, 1, 2)
    softness = rng.uniform(0, 0.9)
    for place, length, name in zip(places, lengths, names, strict=True):
        drawn = insect(name, float(length), rng)
        if softness > 0.4:
            drawn = ndimage.gaussian_filter(drawn, (softness, softness, 0))
        _lay(canvas, drawn, place, light * length * 0.15)
    values = _photographed(canvas, rng)
    spacing = 1.0 if px_per_mm is None else 1 / px_per_mm
    grid = Grid.regular(
        (1, *shape), (1.0, spacing, spacing), unit="px" if px_per_mm is None else "mm"
    )
    image = Image(values[None], grid, "photo", ("red", "green", "blue"))
    points = np.concatenate([np.zeros((number, 1)), places], axis=1)
    return Trap(image, points, lengths, names)


def _number(shape: tuple[int, int], usual: float, rng: np.random.Generator) -> int:
    if rng.random() < _EMPTY:
        return 0
    room = shape[0] * shape[1] / usual**2
    return int(rng.integers(1, max(2, min(90, int(room * rng.uniform(0.04, 0.4))))))


def _places(
    number: int, shape: tuple[int, int], usual: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Rows and columns; none nearer to another than a third of the usual length."""
    groups = rng.uniform((0, 0), shape, (max(1, number // 12), 2))
    crowded = rng.random() < _CROWDED
    places = np.empty((0, 2))
    for _ in range(number):
        for attempt in range(40):
            place = rng.uniform((0, 0), shape)
            if crowded and attempt < 20:
                middle = groups[int(rng.integers(len(groups)))]
                place = middle + rng.normal(0, usual * 1.6, 2)
            inside = (place > -0.5).all() and (place < np.array(shape) - 0.5).all()
            if inside and (np.hypot(*(places - place).T) >= usual / 3).all():
                break
        places = np.concatenate([places, np.clip(place, 0, np.array(shape) - 1)[None]])
    return np.rint(places)


def _lay(
    canvas: Array, drawn: Array, place: NDArray[np.float64], shift: NDArray[np.float64]
) -> None:
    """Lay an insect onto a card, after its shadow."""
    shadow = np.zeros_like(drawn)
    shadow[..., 3] = _SHADE * ndimage.gaussian_filter(drawn[..., 3], 1 + len(drawn) / 40)
    for layer, middle in ((shadow, np.rint(place + shift)), (drawn, place)):
        low = middle.astype(int) - len(layer) // 2
        first = np.maximum(low, 0)
        last = np.minimum(low + len(layer), canvas.shape[:2])
        if (last <= first).any():
            continue
        there = canvas[first[0] : last[0], first[1] : last[1]]
        (top, left), (bottom, right) = first - low, last - low
        own = layer[top:bottom, left:right]
        there *= 1 - own[..., 3:]
        there += own[..., :3]


def _photographed(canvas: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven light, glare, blur and noise: uint8."""
    shape = canvas.shape[:2]
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    ramp = rng.normal(0, 0.12) * rows + rng.normal(0, 0.12) * columns
    values = canvas * (1 + ramp)[..., None].astype(np.float32)
    if rng.random() < 0.25:
        middle, wide = rng.uniform(-1, 1, 2), rng.uniform(0.05, 0.5)
        spot = np.exp(-((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / (2 * wide**2))
        spot = spot * (1 + 0.3 * cloud(shape, rng, 6.0))
        values += (rng.uniform(0.05, 0.4) * np.clip(spot, 0, 1))[..., None].astype(np.float32)
    if rng.random() < 0.5:
        sigma = rng.uniform(0.2, 0.9)
        values = ndimage.gaussian_filter(values, (sigma, sigma, 0))
    values += rng.standard_normal(values.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def write_traps(
    folder: Path | str, count: int, shape: tuple[int, int] = (384, 384), seed: int = 0
) -> None:
    """Write traps of consecutive seeds as PNG, and `points.csv` with image, x_px, y_px, size_px."""
    from PIL import Image as Pillow

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "points.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(("image", "x_px", "y_px", "size_px"))
        for number in range(seed, seed + count):
            made, path = trap(number, shape), folder / f"trap_{number:06d}.png"
            Pillow.fromarray(made.image.array[0]).save(path)
            table.writerows(
                (path.name, column, row, round(float(length), 2))
                for (_, row, column), length in zip(made.points, made.lengths, strict=True)
            )
