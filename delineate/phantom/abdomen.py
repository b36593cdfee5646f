"""What lies below the diaphragm, from the liver to the bladder."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.bowel import paint_bowel
from delineate.phantom.canvas import Canvas, Point
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.kidneys import paint_kidneys
from delineate.phantom.liver import paint_liver
from delineate.phantom.pelvis import paint_pelvic_organs
from delineate.phantom.stomach import paint_duodenum, paint_pancreas, paint_spleen, paint_stomach
from delineate.phantom.vessels import paint_vessels
from delineate.phantom.wall import Frame


def paint_abdomen(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    heart: Point,
    rng: np.random.Generator,
) -> None:
    """Paint the belly; most organs yield to those painted before them."""
    paint_liver(canvas, anatomy, frame, diaphragm, rng)
    paint_spleen(canvas, anatomy, frame, diaphragm, rng)
    outlet = paint_stomach(canvas, anatomy, frame, diaphragm, rng)
    paint_duodenum(canvas, anatomy, outlet, rng)
    paint_pancreas(canvas, anatomy, outlet, rng)
    paint_bowel(canvas, anatomy, frame, rng)
    paint_kidneys(canvas, anatomy, frame, rng)
    paint_vessels(canvas, anatomy, diaphragm, heart, rng)
    paint_pelvic_organs(canvas, anatomy, frame, rng)
