"""Brushed metal that is painted, with scratches, stains and dents whose place is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

from delineate.imaging import Category, Grid, Image, LabelMap

__all__ = ["FLAWS", "Flaw", "metal"]

Flaw = Literal["scratch", "stain", "dent", "pitting"]
FLAWS: tuple[Flaw, ...] = ("scratch", "stain", "dent", "pitting")
"""In label order; the first has label 1."""

Floats = NDArray[np.float64]

_COLOURS = {
    "scratch": (240, 60, 60),
    "stain": (200, 140, 40),
    "dent": (60, 120, 240),
    "pitting": (213, 94, 0),
}
_VISIBLE = 0.25  # share of its greatest effect from which on a sample belongs to a flaw


def metal(
    seed: int, shape: tuple[int, int] = (384, 512), flaws: Sequence[Flaw] = ()
) -> tuple[Image, LabelMap]:
    """Paint a photograph of brushed metal.

    Parameters
    ----------
    seed
        Decides grain, light and where the flaws lie and how strong they are.
    shape
        Rows and columns.
    flaws
        One entry for each flaw.

    Returns
    -------
    image
        uint8 RGB, one slice, in px.
    labels
        Where the flaws are: 1 scratch, 2 stain, 3 dent, 4 pitting.
    """
    rng = np.random.default_rng([seed, 11])
    bright = _light(rng, shape) + _grain(rng, shape)
    colour = np.ones((*shape, 3)) * rng.normal((1.0, 0.985, 0.95), 0.006)
    labels = np.zeros(shape, np.uint8)
    for flaw in flaws:
        if flaw == "scratch":
            effect, change = _scratch(rng, shape)
            bright = bright + change
        elif flaw == "dent":
            effect, change = _dent(rng, shape)
            bright = bright + change
        elif flaw == "pitting":
            effect, glint = _pitting(rng, shape)
            bright = bright * (1 - 0.62 * effect) + glint
        else:
            effect = _blob(rng, shape, rng.uniform(9, 22))
            darker = rng.uniform(0.10, 0.22) * np.array((0.7, 1.0, 1.5))
            colour = colour * (1 - effect[..., None] * darker)
        labels[effect > _VISIBLE] = FLAWS.index(flaw) + 1
    noise = rng.normal(0, 0.008, (*shape, 3))
    picture = np.clip((bright[..., None] * colour + noise) * 255, 0, 255).astype(np.uint8)
    grid = Grid.regular((1, *shape), unit="px")
    names = {n: Category(name, _COLOURS[name]) for n, name in enumerate(FLAWS, start=1)}
    return Image(picture[None], grid, "photo", ("red", "green", "blue")), LabelMap(
        labels[None], grid, names
    )


def _light(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """A lamp to one side: a plane and a wide glow."""
    rows, columns = (np.linspace(-1, 1, n) for n in shape)
    slope, tilt = rng.normal(0, 0.05, 2)
    glow = 0.08 * np.exp(-((rows[:, None] - rng.uniform(-0.6, 0.6)) ** 2) / 0.4)
    return np.asarray(0.55 + rng.normal(0, 0.02) + slope * columns + tilt * rows[:, None] + glow)


def _grain(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Grooves along the rows, of several lengths and widths."""
    out = np.zeros(shape)
    for length, width, strength in ((60, 0.5, 0.05), (150, 1.2, 0.03), (20, 0.3, 0.02)):
        groove = ndimage.gaussian_filter(rng.normal(0, 1, shape), (width, length), mode="wrap")
        out += strength * groove / groove.std()
    return out


def _scratch(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """A bent line, dark, with a bright edge to one side."""
    start = rng.uniform(0.15, 0.85, 2) * shape
    angle, length = rng.uniform(0.3, np.pi - 0.3), rng.uniform(50, 130)
    way = np.linspace(0, 1, 400)[:, None]
    along = np.array((np.sin(angle), np.cos(angle)))
    across = np.array((along[1], -along[0]))
    path = start + way * length * along + rng.normal(0, 8) * np.sin(np.pi * way) * across
    line = _drawn(path, shape, rng.uniform(0.7, 1.3))
    edge = ndimage.shift(line, 2.0 * across, order=1)
    return line, rng.uniform(0.14, 0.3) * (0.6 * edge - line)


def _dent(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """A hollow: dark on the side of the lamp, bright on the other."""
    hollow = _blob(rng, shape, rng.uniform(5, 11))
    slope = np.gradient(hollow)[0]
    slope = slope / np.abs(slope).max()
    return np.asarray(hollow), rng.uniform(0.12, 0.25) * slope


def _pitting(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Broken out in an uneven patch: dark, with glints on its ground."""
    centre, reach = rng.uniform(0.25, 0.75, 2) * shape, rng.uniform((14, 24), (28, 44))
    rows, columns = ((np.arange(n) - c) / r for n, c, r in zip(shape, centre, reach, strict=True))
    near = np.exp(-(rows[:, None] ** 2) - columns**2)
    coarse, fine = (ndimage.gaussian_filter(rng.normal(0, 1, shape), width) for width in (4, 1.5))
    broken = 0.5 * coarse / coarse.std() + 3 * near > 1.6
    effect = ndimage.gaussian_filter((broken & (near > 0.1)).astype(np.float64), 0.8)
    return effect, effect * np.clip(fine / fine.std(), 0, 3) * 0.1


def _blob(rng: np.random.Generator, shape: tuple[int, int], radius: float) -> Floats:
    """1 within an uneven outline, 0 beyond, ``(row, column)``."""
    centre = rng.uniform(0.12, 0.88, 2) * shape
    rows, columns = (np.arange(n) - c for n, c in zip(shape, centre, strict=True))
    angle = np.arctan2(rows[:, None], columns)
    reach = np.full(shape, radius)
    for waves in (2, 3, 5):
        reach = reach * (1 + rng.normal(0, 0.12) * np.cos(waves * angle + rng.uniform(0, 6.3)))
    inside = (np.hypot(rows[:, None], columns) < reach).astype(np.float64)
    return np.asarray(ndimage.gaussian_filter(inside, radius / 5))


def _drawn(path: Floats, shape: tuple[int, int], width: float) -> Floats:
    """1 along a path ``(n, 2)`` of rows and columns, falling off to its sides."""
    line = np.zeros(shape)
    rows, columns = path.round().astype(int).T
    within = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    line[rows[within], columns[within]] = 1.0
    smooth = ndimage.gaussian_filter(line, width)
    return np.asarray(np.clip(smooth * 2.6 * width, 0, 1))
