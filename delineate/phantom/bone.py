"""Single bones: a ball and a shaft."""

from __future__ import annotations

import numpy as np

from delineate.phantom.canvas import Bools, Box, Canvas, Point
from delineate.phantom.tissue import Tissue


def paint_ball(canvas: Canvas, centre: Point, radius: float) -> None:
    """A round bone: 2.5 mm of cortex around spongy bone."""
    box, field = canvas.ellipsoid(centre, (radius, radius, radius))
    bone = (field < 1) & _below_skin(canvas, box)
    canvas.paint(bone, Tissue.SPONGY_BONE, box)
    canvas.paint(bone & (field > (1 - 2.5 / radius) ** 2), Tissue.CORTICAL_BONE, box)


def paint_shaft(canvas: Canvas, start: Point, stop: Point, radius: float, *, hollow: float) -> None:
    """A long bone: cortex outside, marrow within, fatty where `hollow` is above zero."""
    box, field = canvas.capsule(start, stop, radius)
    bone = (field < 1) & _below_skin(canvas, box)
    canvas.paint(bone, Tissue.CORTICAL_BONE, box)
    marrow = hollow * hollow if hollow else (1 - 2.5 / radius) ** 2
    canvas.paint(bone & (field < marrow), Tissue.SPONGY_BONE, box)


def _below_skin(canvas: Canvas, box: Box) -> Bools:
    return np.asarray(~np.isin(canvas.tissue[box], (Tissue.AIR, Tissue.SKIN)))
