"""Cards that insects stick to, and all that is on them besides insects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from scipy import ndimage

__all__ = ["CARDS", "card", "litter"]

CARDS: dict[str, tuple[int, int, int]] = {
    "yellow": (232, 200, 40),
    "pale yellow": (236, 222, 120),
    "white": (232, 231, 226),
    "blue": (50, 100, 190),
    "kraft": (178, 140, 98),
    "wood": (190, 150, 100),
    "green": (120, 150, 80),
    "grey": (150, 150, 150),
}
"""Colours of cards by name."""

Array = NDArray[np.float32]
Shape = tuple[int, int]


def card(shape: Shape, rng: np.random.Generator, name: str | None = None) -> Array:
    """A card without anything on it but print, creases and stains.

    Parameters
    ----------
    shape
        Rows and columns.
    rng
        Decides all.
    name
        Of `CARDS`; ``None``: drawn.

    Returns
    -------
    ndarray
        float32 ``(row, column, 3)`` from 0 to 1.
    """
    weights = np.array([4, 1, 2, 1, 1, 1, 0.5, 0.5])
    name = str(rng.choice(list(CARDS), p=weights / weights.sum())) if name is None else name
    colour = np.array(CARDS[name], np.float32) / 255 * rng.uniform(0.7, 1.1)
    out = np.empty((*shape, 3), np.float32)
    out[:] = np.clip(colour + rng.normal(0, 0.03, 3), 0, 1)
    clouds = cloud(shape, rng, rng.uniform(20, 120)) * rng.uniform(0, 0.08)
    fibres = cloud(shape, rng, (rng.uniform(0.5, 1.5), rng.uniform(0.5, 6)))
    out *= (1 + clouds + fibres * rng.uniform(0, 0.05))[..., None]
    if name == "wood":
        grain = cloud(shape, rng, (rng.uniform(0.8, 3), rng.uniform(30, 120)))
        out *= (1 + grain * rng.uniform(0.03, 0.12))[..., None]
    picture = Pillow.fromarray((np.clip(out, 0, 1) * 255).astype(np.uint8))
    _print(picture, rng)
    return np.asarray(picture, np.float32) / np.float32(255)


def cloud(
    shape: Shape, rng: np.random.Generator, sigma: float | tuple[float, float]
) -> NDArray[np.float64]:
    """Smooth noise of mean 0 and deviation 1."""
    rough = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap", truncate=2)
    return np.asarray((rough - rough.mean()) / max(float(rough.std()), 1e-9))


def _print(picture: Pillow.Image, rng: np.random.Generator) -> None:
    """Grids, words and marks, each now and then."""
    pen = ImageDraw.Draw(picture, "RGBA")
    ink = (*(int(part) for part in rng.integers(0, 120, 3)), int(rng.integers(60, 230)))
    columns, rows = picture.size
    if rng.random() < 0.35:
        step, width = rng.uniform(18, 160), int(rng.integers(1, 4))
        lean = rng.normal(0, 0.02) * columns
        for place in np.arange(rng.uniform(0, step), max(rows, columns), step):
            pen.line([(place, 0), (place + lean, rows)], fill=ink, width=width)
            pen.line([(0, place), (columns, place - lean)], fill=ink, width=width)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 6))):
            letters = rng.choice(list("ABCDEFGHKLMNOPRSTabcdehiklmnorstu 0123456789.-"), 8)
            font = ImageFont.load_default(int(rng.integers(8, 40)))
            place = (int(rng.integers(-20, columns)), int(rng.integers(0, rows)))
            pen.text(place, "".join(letters), fill=ink, font=font)
    if rng.random() < 0.15:
        x, y, r = rng.uniform(0, columns), rng.uniform(0, rows), rng.uniform(6, 40)
        pen.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=int(rng.integers(1, 4)))


def litter(canvas: Array, rng: np.random.Generator, amount: float = 1.0) -> Array:
    """Strew dust, fibres, drops, scraps, stains and streaks of glue over a card.

    Parameters
    ----------
    canvas
        float32 ``(row, column, 3)`` from 0 to 1; stays as it is.
    rng
        Decides all.
    amount
        1: as on a used trap.
    """
    picture = Pillow.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    share = canvas.shape[0] * canvas.shape[1] / 512**2 * amount
    for draw, usual in _LITTER:
        pen = ImageDraw.Draw(picture, "RGBA")
        for _ in range(int(rng.poisson(share * usual * rng.gamma(0.7, 1.4)))):
            draw(pen, rng, picture.size)
    return np.asarray(picture, np.float32) / np.float32(255)


Size = tuple[int, int]
Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator, Size], None]


def _dye(rng: np.random.Generator, low: int, high: int, opacity: tuple[int, int]) -> Sequence[int]:
    grey = rng.integers(low, high)
    tint = np.clip(grey + rng.integers(-25, 26, 3) + np.array([10, 0, -10]), 0, 255)
    return (*tint.tolist(), int(rng.integers(*opacity)))


def _place(rng: np.random.Generator, size: Size) -> NDArray[np.float64]:
    return rng.uniform((0, 0), size)


def _polygon(rng: np.random.Generator, size: Size, along: float, across: float) -> list[float]:
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 10))))
    radius = rng.uniform(0.5, 1.2, len(angles))
    ring = np.stack([along * radius * np.cos(angles), across * radius * np.sin(angles)], axis=1)
    turn = rng.uniform(0, np.pi)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return list((ring @ matrix + _place(rng, size)).ravel().tolist())


def _speck(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    wide = rng.uniform(0.5, 2.0)
    points = _polygon(rng, size, wide * rng.uniform(1, 1.5), wide)
    pen.polygon(points, fill=tuple(_dye(rng, 20, 140, (80, 230))))


def _fibre(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, 14))
    stride = rng.uniform(1.5, 10)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * stride
    path = np.cumsum(steps, axis=0) + _place(rng, size)
    dye = _dye(rng, *((10, 120) if rng.random() < 0.7 else (190, 250)), (60, 220))
    pen.line(path.ravel().tolist(), fill=tuple(dye), width=int(rng.integers(1, 3)))


def _drop(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    (x, y), r = _place(rng, size), rng.uniform(2, 14)
    pen.ellipse((x - r, y - r, x + r, y + r), outline=tuple(_dye(rng, 40, 140, (40, 130))))
    s, q = r * 0.35, r * rng.uniform(0.15, 0.4)
    pen.ellipse((x - s - q, y - s - q, x - s + q, y - s + q), fill=(255, 255, 255, 170))


def _scrap(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    along, dye = rng.uniform(5, 40), list(_dye(rng, 50, 190, (90, 220)))
    if rng.random() < 0.4:
        dye[1] = min(255, dye[1] + 40)
    pen.polygon(_polygon(rng, size, along, along * rng.uniform(0.05, 1.0)), fill=tuple(dye))


def _stain(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    along, dye = rng.uniform(15, 90), list(_dye(rng, 40, 200, (8, 30)))
    for _ in range(4):  # one over the other: a soft edge
        points = _polygon(rng, (1, 1), along, along * 0.7)
        x, y = _place(rng, size)
        pen.polygon([v + (x, y)[i % 2] for i, v in enumerate(points)], fill=tuple(dye))


def _streak(pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size) -> None:
    start, turn = _place(rng, size), rng.uniform(0, 2 * np.pi)
    end = start + np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(20, 300)
    dye = (255, 255, 255) if rng.random() < 0.6 else (60, 50, 40)
    opacity, width = int(rng.integers(20, 110)), int(rng.integers(1, 6))
    pen.line([*start.tolist(), *end.tolist()], fill=(*dye, opacity), width=width)


_LITTER: tuple[tuple[Draw, float], ...] = (
    (_stain, 2.0),
    (_streak, 3.0),
    (_scrap, 3.0),
    (_drop, 4.0),
    (_speck, 60.0),
    (_fibre, 5.0),
)
"""What lies on a trap, and how often on 512 x 512 pixels."""
