"""The diaphragm: one surface of two domes that everything in the trunk lies above or below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Canvas, Floats
from delineate.phantom.wall import Frame

_TRANSITION_MM = 42.0
_LEAST_ROOT = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Diaphragm:
    """Height of the diaphragm over every point of the cavity.

    It is highest over the middle of each side, dips under the heart, and falls steeply at the
    wall, so that lung reaches down behind and beside liver and spleen (the costophrenic recess).

    Attributes
    ----------
    height
        mm, at every sample of the canvas.
    """

    anatomy: Anatomy
    half_width_mm: float
    half_depth_mm: float
    middle_mm: float
    dip_mm: float
    height: Floats

    @classmethod
    def draw(
        cls, canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
    ) -> Diaphragm:
        """Draw one for a body."""
        half_width, half_depth = frame.cavity_half_width_mm, frame.cavity_half_depth_mm
        middle, dip = float(rng.uniform(-12, 6)), float(rng.uniform(4, 18))
        height = _height(anatomy, half_width, half_depth, middle, dip, canvas.x, canvas.y)
        return cls(anatomy, half_width, half_depth, middle, dip, height.astype(np.float32))

    def at(self, x: float, y: float) -> float:
        """Height over one point, mm."""
        sizes = self.half_width_mm, self.half_depth_mm, self.middle_mm, self.dip_mm
        return float(_height(self.anatomy, *sizes, np.float32(x), np.float32(y)))


def _height(
    anatomy: Anatomy,
    half_width: float,
    half_depth: float,
    middle: float,
    dip: float,
    x: Any,
    y: Any,
) -> Any:
    side = np.clip((x + _TRANSITION_MM) / (2 * _TRANSITION_MM), 0, 1)
    side = side * side * (3 - 2 * side)
    top = anatomy.diaphragm_mm + anatomy.dome_right_mm * (1 - side) + anatomy.dome_left_mm * side
    top = top - dip * np.exp(-np.square((x - 18) / 42) - np.square((y + 25) / 45))
    out = np.abs(x / half_width) ** 2.6 + np.abs((y - middle) / half_depth) ** 2.6
    fall = anatomy.dome_fall_mm * (0.62 + 0.38 * np.clip(0.5 + 0.5 * y / half_depth, 0, 1))
    return top - fall * (1 - np.sqrt(np.clip(1 - out, _LEAST_ROOT, 1)))
