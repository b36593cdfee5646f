"""Small animals drawn from ellipses and lines, seen from above; no two alike.

All are drawn along the x axis at a length of one, the middle of the body at the origin, then
turned and enlarged. Bodies are after what lies on traps: outlines, legs and wings, not species.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw
from scipy import ndimage

__all__ = ["KINDS", "insect"]

_FINER = 4  # samples a pixel along each axis while drawing
_DARK = ((28, 24, 22), (45, 35, 28), (62, 44, 30), (18, 18, 24), (80, 62, 44))
_PALE = ((150, 120, 80), (120, 130, 70), (190, 170, 130), (170, 90, 40), (140, 140, 140))
_WINGS = ((210, 210, 205), (170, 165, 150), (235, 235, 235), (120, 105, 90))

Colour = tuple[int, int, int]
Points = NDArray[np.float64]


class _Pen:
    """Draws onto layers in the insect's own coordinates."""

    def __init__(self, length: float, turn: float) -> None:
        self.side = 2 * ceil(0.95 * length) + 3
        self.canvas = Pillow.new("RGBA", (self.side * _FINER,) * 2)
        self._scale = length * _FINER
        self._turn = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def fill(self, outline: Points, colour: Colour, opacity: float = 1.0) -> None:
        """A filled polygon, ``(n, 2)`` of x and y."""
        self._layer(lambda pen, dye: pen.polygon(self._placed(outline), fill=dye), colour, opacity)

    def line(self, path: Points, width: float, colour: Colour, opacity: float = 1.0) -> None:
        """A line, at least half a pixel wide."""
        thick = max(_FINER // 2, round(width * self._scale))
        self._layer(
            lambda pen, dye: pen.line(self._placed(path), fill=dye, width=thick, joint="curve"),
            colour,
            opacity,
        )

    def _placed(self, points: Points) -> list[tuple[float, float]]:
        middle = self.side * _FINER / 2
        return [(x, y) for x, y in (points @ self._turn * self._scale + middle).tolist()]

    def _layer(
        self,
        draw: Callable[[ImageDraw.ImageDraw, tuple[int, int, int, int]], object],
        colour: Colour,
        opacity: float,
    ) -> None:
        layer = Pillow.new("RGBA", self.canvas.size)
        draw(ImageDraw.Draw(layer), (*colour, round(255 * opacity)))
        self.canvas = Pillow.alpha_composite(self.canvas, layer)


def insect(kind: str, length: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one, turned at random.

    Parameters
    ----------
    kind
        Of `KINDS`.
    length
        Of the body or, of a moth, across what is longest; in pixels.
    rng
        Decides all the rest.

    Returns
    -------
    ndarray
        float32 ``(n, n, 4)`` from 0 to 1, n odd: red, green and blue times opacity, and opacity.
        The middle of the body is the middle sample.
    """
    pen = _Pen(length, rng.uniform(0, 2 * np.pi))
    _DRAWN[kind](pen, rng)
    small = pen.canvas.convert("RGBa").reduce(_FINER)
    drawn = np.asarray(small, np.float32) / np.float32(255)
    rough = ndimage.gaussian_filter(rng.standard_normal(drawn.shape[:2]), rng.uniform(0.5, 1.5))
    rough = 1 + rng.uniform(0, 0.3) * rough / max(float(rough.std()), 1e-6)
    drawn = drawn.copy()
    drawn[..., :3] *= np.clip(rough, 0.3, 1.8)[..., None].astype(np.float32)
    np.minimum(drawn[..., :3], drawn[..., 3:], out=drawn[..., :3])
    return drawn


def _ellipse(x: float, y: float, along: float, across: float) -> Points:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([along * np.cos(angles), across * np.sin(angles)], axis=1)
    return _moved(ring, x, y)


def _moved(points: Points, x: float, y: float, turn: float = 0.0) -> Points:
    """Turned about the origin, then shifted."""
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(points @ matrix + np.array([x, y]))


def _shade(colours: Sequence[Colour], rng: np.random.Generator) -> Colour:
    red, green, blue = np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.7, 1.3)
    return min(255, int(red)), min(255, int(green)), min(255, int(blue))


def _body_colour(rng: np.random.Generator) -> Colour:
    return _shade(_DARK if rng.random() < 0.8 else _PALE, rng)


def _legs(pen: _Pen, rng: np.random.Generator, colour: Colour, reach: float) -> None:
    """Up to six legs with a knee, and two feelers."""
    width = rng.uniform(0.012, 0.035)
    for side in (-1, 1):
        for start, lean in ((0.18, 0.7), (0.08, 0.0), (-0.02, -0.7)):
            if rng.random() < 0.15:
                continue
            angle = side * (np.pi / 2 - lean + rng.normal(0, 0.25))
            knee = np.array([np.cos(angle), np.sin(angle)]) * reach * rng.uniform(0.4, 0.6)
            bent = angle - side * rng.uniform(0.2, 0.9)
            foot = knee + np.array([np.cos(bent), np.sin(bent)]) * reach * rng.uniform(0.3, 0.6)
            hip = np.array([start, side * 0.05])
            pen.line(np.stack([hip, hip + knee, hip + foot]), width, colour)
        tip = np.array([0.4 + rng.uniform(0.1, 0.3), side * rng.uniform(0.02, 0.2)])
        pen.line(np.stack([[0.38, side * 0.03], tip]), width * 0.7, colour)


def _wings(pen: _Pen, rng: np.random.Generator, length: float, width: float) -> None:
    """Two clear wings, folded or spread; one may be lost."""
    colour, opacity = _shade(_WINGS, rng), rng.uniform(0.15, 0.65)
    open_by = rng.uniform(0.1, 1.3)
    for side in (-1, 1):
        if rng.random() < 0.1:
            continue
        turn = np.pi - side * (open_by + rng.normal(0, 0.15))
        wing = _moved(_ellipse(length / 2, 0, length / 2, width / 2), 0.15, side * 0.05, turn)
        pen.fill(wing, colour, opacity)
        if rng.random() < 0.5:
            vein = _moved(np.array([[0.0, 0.0], [length, 0.0]]), 0.15, side * 0.05, turn)
            pen.line(vein, 0.01, _shade(_DARK, rng), 0.4)


def _fly(pen: _Pen, rng: np.random.Generator) -> None:
    colour, stout = _body_colour(rng), rng.uniform(0.8, 1.4)
    _legs(pen, rng, colour, rng.uniform(0.25, 0.6))
    below = rng.random() < 0.4
    if below:
        _wings(pen, rng, rng.uniform(0.5, 0.8), rng.uniform(0.15, 0.3))
    pen.fill(_ellipse(-0.2, 0, 0.28, 0.13 * stout), colour)
    pen.fill(_ellipse(0.14, 0, 0.17, 0.13 * stout), _shade((colour,), rng))
    pen.fill(_ellipse(0.38, 0, 0.1, 0.1 * stout), _shade(_DARK, rng))
    if not below:
        _wings(pen, rng, rng.uniform(0.5, 0.8), rng.uniform(0.15, 0.3))


def _bee(pen: _Pen, rng: np.random.Generator) -> None:
    colour, stout = _shade(((92, 66, 40), (60, 45, 32), (120, 85, 45)), rng), rng.uniform(0.9, 1.3)
    _legs(pen, rng, _shade(_DARK, rng), rng.uniform(0.2, 0.4))
    pen.fill(_ellipse(-0.22, 0, 0.28, 0.16 * stout), colour)
    for place in np.arange(-0.42, 0.0, rng.uniform(0.08, 0.13)):
        high = 0.15 * stout * np.sqrt(max(0.05, 1 - ((place + 0.22) / 0.28) ** 2))
        pen.line(np.array([[place, -high], [place, high]]), 0.045, _shade(_DARK, rng), 0.8)
    pen.fill(_ellipse(0.13, 0, 0.16, 0.15 * stout), _shade(((130, 100, 60), (90, 70, 50)), rng))
    pen.fill(_ellipse(0.37, 0, 0.1, 0.12 * stout), _shade(_DARK, rng))
    if rng.random() < 0.8:
        _wings(pen, rng, rng.uniform(0.5, 0.75), rng.uniform(0.15, 0.25))


def _moth(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _shade(_DARK + _PALE + _WINGS, rng)
    if rng.random() < 0.5:  # at rest: a wedge
        wide, blunt = rng.uniform(0.15, 0.45), rng.uniform(0.1, 0.9)
        outline = [(0.45, 0), (0.3, 0.08), (-0.45, wide), (-0.5, wide * blunt), (-0.42, 0)]
    else:
        wide = rng.uniform(0.4, 0.5)
        outline = [(0.25, 0.03), (0.35, wide), (0.05, wide), (-0.05, 0.3), (-0.35, 0.3), (-0.2, 0)]
    half = np.array(outline)
    pen.fill(np.concatenate([half, half[::-1] * (1, -1)]), colour, rng.uniform(0.8, 1))
    for _ in range(int(rng.integers(0, 6))):
        x, y, size = rng.uniform(-0.4, 0.3), rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.06)
        dye = _shade(_DARK if rng.random() < 0.7 else _PALE, rng)
        for side in (-1, 1):
            pen.fill(_ellipse(x, side * min(y, wide), size, size * 1.5), dye, 0.6)
    body = _shade((*_DARK, colour), rng)
    pen.fill(_ellipse(0.0, 0, 0.38, rng.uniform(0.04, 0.09)), body, rng.uniform(0.3, 1))
    _legs(pen, rng, body, rng.uniform(0.05, 0.3))


def _thrips(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _shade((*_DARK, (150, 115, 45), (110, 80, 40)), rng)
    thin = rng.uniform(0.06, 0.1)
    _legs(pen, rng, colour, rng.uniform(0.05, 0.2))
    pen.fill(_ellipse(-0.12, 0, 0.36, thin), colour)
    pen.fill(_ellipse(0.2, 0, 0.15, thin * 1.1), _shade((colour,), rng))
    pen.fill(_ellipse(0.38, 0, 0.1, thin * 0.8), _shade((colour,), rng))
    if rng.random() < 0.5:
        pen.line(np.array([[0.15, 0.0], [-0.5, 0.0]]), 0.04, _shade(_PALE, rng), 0.5)


def _whitefly(pen: _Pen, rng: np.random.Generator) -> None:
    white = _shade(((225, 225, 220), (200, 200, 195)), rng)
    open_by = rng.uniform(0.1, 0.5)
    pen.fill(_ellipse(0.1, 0, 0.38, 0.1), _shade(((190, 170, 90), (120, 100, 60)), rng))
    for side in (-1, 1):
        wing = _moved(_ellipse(-0.28, 0, 0.32, 0.2), 0.1, side * 0.08, -side * open_by)
        pen.fill(wing, white, rng.uniform(0.7, 1))
    pen.fill(_ellipse(0.42, 0, 0.06, 0.08), _shade(_DARK, rng))
    _legs(pen, rng, _shade(_PALE, rng), 0.2)


def _beetle(pen: _Pen, rng: np.random.Generator) -> None:
    colour, wide = _body_colour(rng), rng.uniform(0.2, 0.38)
    _legs(pen, rng, _shade(_DARK, rng), rng.uniform(0.2, 0.5))
    pen.fill(_ellipse(0.36, 0, 0.14, wide * 0.6), _shade(_DARK, rng))
    pen.fill(_ellipse(-0.06, 0, 0.42, wide), colour)
    pen.line(np.array([[0.3, 0.0], [-0.48, 0.0]]), 0.02, _shade(_DARK, rng), 0.7)
    if rng.random() < 0.6:
        pen.fill(_ellipse(0.05, wide * 0.4, 0.12, 0.04), (240, 240, 240), rng.uniform(0.2, 0.8))


def _ant(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _shade((*_DARK, (110, 55, 25)), rng)
    _legs(pen, rng, colour, rng.uniform(0.35, 0.6))
    pen.fill(_ellipse(-0.3, 0, 0.2, rng.uniform(0.1, 0.15)), colour)
    pen.fill(_ellipse(0.05, 0, 0.17, 0.06), colour)
    pen.fill(_ellipse(0.34, 0, 0.13, rng.uniform(0.08, 0.12)), colour)
    if rng.random() < 0.3:
        _wings(pen, rng, rng.uniform(0.6, 0.9), 0.2)


def _aphid(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _shade((*_DARK, (90, 110, 40), (120, 140, 60)), rng)
    _legs(pen, rng, colour, rng.uniform(0.3, 0.6))
    pen.fill(_ellipse(-0.12, 0, 0.34, rng.uniform(0.2, 0.28)), colour)
    pen.fill(_ellipse(0.26, 0, 0.2, 0.14), colour)
    if rng.random() < 0.4:
        _wings(pen, rng, rng.uniform(0.8, 1.0), 0.3)


def _gnat(pen: _Pen, rng: np.random.Generator) -> None:
    colour = _body_colour(rng)
    _legs(pen, rng, colour, rng.uniform(0.6, 0.9))
    pen.fill(_ellipse(-0.22, 0, 0.3, rng.uniform(0.05, 0.08)), colour)
    pen.fill(_ellipse(0.18, 0, 0.14, rng.uniform(0.09, 0.12)), colour)
    pen.fill(_ellipse(0.37, 0, 0.07, 0.07), colour)
    _wings(pen, rng, rng.uniform(0.5, 0.8), rng.uniform(0.12, 0.25))


_DRAWN: dict[str, Callable[[_Pen, np.random.Generator], None]] = {
    "ant": _ant,
    "aphid": _aphid,
    "bee": _bee,
    "beetle": _beetle,
    "fly": _fly,
    "gnat": _gnat,
    "moth": _moth,
    "thrips": _thrips,
    "whitefly": _whitefly,
}

KINDS: tuple[str, ...] = tuple(_DRAWN)
"""What can be drawn."""
