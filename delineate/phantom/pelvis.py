"""Hip bones, sacrum, thigh bones, and the organs between them."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.bone import paint_ball, paint_shaft
from delineate.phantom.canvas import Canvas
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame

_CREST_MM, _SOCKET_MM = -192.0, -338.0
_WING = np.array(
    [  # height, then x and y (from the middle of the spine) of the hind and of the front edge
        (_SOCKET_MM, 76, -32, 90, -56),
        (-316, 66, -24, 98, -64),
        (-290, 46, 12, 106, -72),
        (-260, 42, 24, 117, -72),
        (-225, 52, 25, 121, -58),
        (_CREST_MM, 76, 12, 112, -26),
    ]
)


def paint_pelvis(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint sacrum, hip bones and thigh bones."""
    _paint_sacrum(canvas, anatomy)
    wide = anatomy.half_width_mm / 165 * float(rng.uniform(0.9, 1.04))
    thick, bow = float(rng.uniform(4.5, 7.5)), float(rng.uniform(2, 11))
    muscle = anatomy.muscle_scale * float(rng.uniform(10, 24))
    for side in (-1.0, 1.0):
        _paint_wing(canvas, anatomy, frame, side, wide, (thick, bow, muscle))
        hip = side * 90 * wide
        box, inner = canvas.ellipsoid((side * 58 * wide, 8, -352), (10, 36, 34))
        canvas.paint((inner < 1) & (canvas.tissue[box] == Tissue.FAT), Tissue.MUSCLE, box)
        paint_ball(canvas, (hip - side * 3, -2, -343), 34)
        box, gap = canvas.ellipsoid((hip, -4, -348), (27, 27, 27))
        canvas.paint(gap < 1, Tissue.CARTILAGE, box)
        paint_ball(canvas, (hip, -4, -348), 24)
        trochanter = (hip + side * 34, 6.0, -382.0)
        paint_shaft(canvas, (hip, -4, -350), trochanter, 15, hollow=0.0)
        paint_shaft(canvas, trochanter, (hip + side * 4, -4, -740), 15.5, hollow=0.5)
        paint_shaft(canvas, (side * 14, -36, -366), (side * 78 * wide, -18, -352), 9.5, hollow=0.0)
        paint_shaft(canvas, (side * 16, -30, -372), (side * 58 * wide, 24, -396), 8.5, hollow=0.0)
        paint_shaft(canvas, (side * 60 * wide, 26, -392), (side * 76 * wide, 8, -350), 14, hollow=0)


def _paint_wing(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    side: float,
    wide: float,
    sizes: tuple[float, float, float],
) -> None:
    """A curved plate from the sacrum to the flank, narrow at the crest and above the socket.

    ``sizes`` are half its thickness, how far it bows outwards, and how thick the iliacus muscle
    inside it is, mm. Outside lie the muscles of the seat.
    """
    thick, bow, muscle = sizes
    reach = 140 * wide
    low, high = sorted((side * 25, side * reach))
    box = canvas.box((low, -130, _SOCKET_MM), (high, anatomy.back_mm + 60, _CREST_MM))
    z = canvas.z[box]
    hind_x, hind_y, front_x, front_y = (
        np.interp(z, _WING[:, 0], _WING[:, column]).astype(np.float32) for column in range(1, 5)
    )
    x, y = (
        side * canvas.x[box] / np.float32(wide) - hind_x,
        canvas.y[box] - anatomy.back_mm - hind_y,
    )
    along_x, along_y = front_x - hind_x, front_y - hind_y
    squared = np.square(along_x) + np.square(along_y)
    place = np.clip((x * along_x + y * along_y) / squared, 0, 1)
    x -= along_x * place + bow * 4 * place * (1 - place)
    y -= along_y * place
    wall = thick * (1 + 0.8 * np.clip((-300 - z) / 30, 0, 1))
    away = np.square(x * wide) + np.square(y)
    field = away / np.square(wall)
    level = (z > _SOCKET_MM) & (z < _CREST_MM)
    outside = x > 0  # of the plate, seen from the middle of the body
    fat = (canvas.tissue[box] == Tissue.FAT) & level & frame.flesh[box]
    near = away < np.where(outside, 45.0, muscle) ** 2
    canvas.paint(fat & near, Tissue.MUSCLE, box)
    plate = (field < 1) & level
    canvas.paint(plate, Tissue.SPONGY_BONE, box)
    canvas.paint(plate & (field > 0.45), Tissue.CORTICAL_BONE, box)


def _paint_sacrum(canvas: Canvas, anatomy: Anatomy) -> None:
    back = anatomy.back_mm
    box = canvas.box((-60, back - 40, -362), (60, back + 60, -250))
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    down = np.clip((-252 - z) / 104, 0, 1)
    across = 50 - 37 * down**1.5
    deep = 17 - 10 * down
    field = np.square(x / across) + np.square((y - back - 4 - 26 * np.sin(np.pi * down)) / deep)
    bone = (field < 1) & (z < -252) & (z > -356)
    canvas.paint(bone, Tissue.SPONGY_BONE, box)
    canvas.paint(bone & (field > 0.8), Tissue.CORTICAL_BONE, box)


def paint_pelvic_organs(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
) -> None:
    """Paint the bladder, and a womb behind it or a prostate below."""
    size = anatomy.bladder_mm
    flat = float(rng.uniform(0.6, 1.0))
    low = -352.0
    centre = (float(rng.uniform(-6, 6)), float(rng.uniform(-34, -12)), low + size * 0.85 * flat)
    box, field = canvas.ellipsoid(centre, (size * 1.1, size * 0.9, size * flat))
    tissue = canvas.tissue[box]
    wall = (field < 1 + 6 / size) & ~np.isin(tissue, (Tissue.CORTICAL_BONE, Tissue.SPONGY_BONE))
    wall &= frame.cavity[box] & (np.abs(canvas.x[box]) < 68)
    canvas.paint(wall, Tissue.SOFT_ORGAN, box)
    canvas.paint(wall & (field < 1), Tissue.URINARY_BLADDER, box)
    if rng.random() < 0.5:
        organ, radii = (centre[0], 16.0, -330.0), (float(rng.uniform(20, 34)), 20.0, 26.0)
    else:
        organ, radii = (centre[0], -6.0, -372.0), (float(rng.uniform(17, 26)), 17.0, 18.0)
    box, field = canvas.ellipsoid(organ, radii)
    free = np.isin(canvas.tissue[box], (Tissue.FAT, Tissue.MUSCLE))
    canvas.paint((field < 1) & free, Tissue.SOFT_ORGAN, box)
